//! What the placeholders of a mail stand for.

use chrono::{DateTime, Timelike, Utc};

use crate::mail::browser::Browser;
use crate::mail::kind::Placeholder;

/// What the placeholders stand for. Has no `Debug`: the link may hold a token.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    pub app_name: &'a str,
    pub app_url: &'a str,
    pub username: &'a str,
    pub link: &'a str,
    pub at: DateTime<Utc>,
    pub browser: Browser,
}

impl Values<'_> {
    /// The text of a placeholder, on one line: a value never starts a paragraph of its own.
    pub(super) fn text(&self, placeholder: Placeholder) -> String {
        match placeholder {
            Placeholder::AppName => one_line(self.app_name),
            Placeholder::AppUrl => one_line(self.app_url),
            Placeholder::Username => one_line(self.username),
            Placeholder::Link => one_line(self.link),
            Placeholder::At => {
                let (hour, minute) = (self.at.hour(), self.at.minute());
                format!("{} {hour:02}:{minute:02} UTC", self.at.date_naive())
            }
            Placeholder::Browser => self.browser.to_string(),
        }
    }
}

/// Without control characters and line breaks; a blank stands for each run of them.
pub(in crate::mail) fn one_line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let parts = text.split(breaks).map(str::trim);
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}
