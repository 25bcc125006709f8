//! What each mail says: in English, in German, and in the words of the operator's own templates.

mod built_in;
mod check;
mod error;
pub mod escape;
mod folder;
mod html;
mod shelf;
#[cfg(test)]
mod tests;
mod values;

use std::path::Path;

use super::kind::{MailKind, Placeholder};
use error::Problem;
pub use error::TemplateError;
use shelf::Shelf;
pub use values::Values;
pub(super) use values::one_line;

/// The locale of last resort, built in for every kind.
const FALLBACK: &str = "en";

/// A mail, ready to be sent. Has no `Debug`: it may hold a token.
pub struct Letter {
    /// One line.
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Every template, each checked.
pub struct Templates(Shelf);

impl Templates {
    pub fn built_in() -> Result<Self, TemplateError> {
        let mut shelf = Shelf::new();
        html::add_layout(&mut shelf)?;
        built_in::add(&mut shelf)?;
        Ok(Self(shelf))
    }

    /// The built-in templates with those in `folder`, which add a locale or replace a built-in text.
    pub fn with_folder(folder: &Path) -> Result<Self, TemplateError> {
        let Self(mut shelf) = Self::built_in()?;
        folder::add(&mut shelf, folder)?;
        Ok(Self(shelf))
    }

    /// Writes a mail in `locale` (BCP 47). `de-AT` falls back to `de`, and any other to English.
    pub fn render(
        &self,
        kind: MailKind,
        locale: Option<&str>,
        values: &Values,
    ) -> Result<Letter, TemplateError> {
        let locale = self.closest(kind, locale);
        let letter = self.letter(kind, &locale, values);
        letter.map_err(|problem| problem.with(format!("{}.{locale}", kind.name())))
    }

    fn letter(&self, kind: MailKind, locale: &str, values: &Values) -> Result<Letter, Problem> {
        let name = |part| format!("{}.{locale}.{part}", kind.name());
        let subject = one_line(&self.0.fill(&name("subject"), kind, values)?);
        let text = tidy(&self.0.fill(&name("txt"), kind, values)?);
        let html = if self.0.has(&name("html")) {
            self.0.fill(&name("html"), kind, values)?
        } else {
            let link = values.text(Placeholder::Link);
            html::from_text(&self.0, locale, &subject, &text, &link)?
        };
        Ok(Letter {
            subject,
            text,
            html,
        })
    }

    /// RFC 4647 3.4: drops subtags from the end until there is a template.
    fn closest(&self, kind: MailKind, locale: Option<&str>) -> String {
        let wanted = locale.filter(|locale| locale.len() <= folder::LOCALE_MAX);
        let wanted = wanted.unwrap_or(FALLBACK).to_ascii_lowercase();
        let mut ranges = std::iter::successors(Some(&*wanted), |tag| {
            tag.rsplit_once('-').map(|(shorter, _)| shorter)
        });
        let there = |tag: &&str| self.0.has(&format!("{}.{tag}.txt", kind.name()));
        ranges.find(there).unwrap_or(FALLBACK).to_owned()
    }
}

/// Without blanks at the ends of lines, and with one line break at the end.
fn tidy(text: &str) -> String {
    let lines: Vec<&str> = text.trim().lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}
