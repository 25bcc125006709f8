//! The checks that every template, built in or not, must pass before the program starts.

use chrono::DateTime;
use strum::{EnumString, IntoStaticStr};

use super::error::{Problem, TemplateError};
use super::shelf::Shelf;
use super::values::Values;
use crate::mail::browser::{Browser, browser};
use crate::mail::kind::{MailKind, Placeholder};

/// A part of a letter, under the extension of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Part {
    Subject,
    Txt,
    Html,
}

/// Which part of which letter a template is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) kind: MailKind,
    /// In lower case.
    pub(super) locale: String,
    pub(super) part: Part,
}

/// What makes a mail program fetch something, or run it. Finds mistakes, not malice: the operator wrote the template.
const LOADERS: &[&str] = &[
    "src=",
    "srcset=",
    "background=",
    "poster=",
    "url(",
    "image-set(",
    "@import",
    "<link",
    "<script",
    "<object",
    "<embed",
    "<iframe",
    "<svg",
    "<base",
];

impl Place {
    /// The name under which the template is kept.
    pub(super) fn name(&self) -> String {
        let Self { kind, locale, part } = self;
        format!("{}.{locale}.{}", kind.name(), <&str>::from(part))
    }

    /// A subject holds no link: every mail server on the way logs it.
    fn offers(&self) -> Vec<Placeholder> {
        let subject = self.part == Part::Subject;
        let fits = |placeholder: &Placeholder| !subject || *placeholder != Placeholder::Link;
        self.kind.offers().iter().copied().filter(fits).collect()
    }
}

/// Adds a template, or replaces the one in its place. The error names `file`.
pub(super) fn add(
    shelf: &mut Shelf,
    place: &Place,
    file: &str,
    source: String,
) -> Result<(), TemplateError> {
    try_add(shelf, place, source).map_err(|problem| problem.with(file))
}

fn try_add(shelf: &mut Shelf, place: &Place, source: String) -> Result<(), Problem> {
    if let (Part::Html, Some(loader)) = (place.part, loader(&source)) {
        return Err(Problem::Loads(loader));
    }
    shelf.put(&place.name(), source)?;
    let offered = place.offers();
    let known: Vec<&str> = offered
        .iter()
        .map(|placeholder| placeholder.name())
        .collect();
    if let Some(name) = shelf.unknown(&place.name(), &known)? {
        return Err(Problem::Unknown { name, offered });
    }
    // Both ways through `{% if browser %}`.
    [Browser::UNKNOWN, browser(Some("Firefox/"))]
        .into_iter()
        .try_for_each(|browser| try_out(shelf, place, browser))
}

/// Fills in a template as it will be in a mail.
fn try_out(shelf: &Shelf, place: &Place, browser: Browser) -> Result<(), Problem> {
    let values = Values {
        app_name: "sample-name",
        app_url: "sample-url",
        username: "sample-user",
        link: "sample-link",
        at: DateTime::UNIX_EPOCH,
        browser,
    };
    let sample = shelf.fill(&place.name(), place.kind, &values)?;
    if sample.trim().is_empty() {
        return Err(Problem::Empty);
    }
    let mut required = place.kind.requires().iter().copied();
    required.try_for_each(|required| must_show(place.part, &sample, required, &values))
}

fn must_show(
    part: Part,
    sample: &str,
    required: Placeholder,
    values: &Values,
) -> Result<(), Problem> {
    let value = values.text(required);
    match part {
        Part::Subject => Ok(()),
        Part::Html if sample.contains(&value) => Ok(()),
        Part::Html => Err(Problem::Missing(required)),
        // A full stop behind an address becomes part of it in some mail programs.
        Part::Txt if sample.lines().any(|line| line.trim() == value) => Ok(()),
        Part::Txt => Err(Problem::MissingLine(required)),
    }
}

fn loader(html: &str) -> Option<&'static str> {
    let html = html.to_ascii_lowercase();
    let parts: Vec<&str> = html.split('=').map(str::trim_end).collect();
    let html = parts.join("=");
    LOADERS.iter().copied().find(|loader| html.contains(loader))
}
