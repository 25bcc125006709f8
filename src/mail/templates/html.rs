//! HTML made from the text of a mail, for whoever has no template for it.

use minijinja::{Value, context};

use super::error::{Problem, TemplateError};
use super::shelf::Shelf;

const LAYOUT: &str = "layout.html";

pub(super) fn add_layout(shelf: &mut Shelf) -> Result<(), TemplateError> {
    let layout = include_str!("layout.html").to_owned();
    let added = shelf.put(LAYOUT, layout);
    added.map_err(|problem| problem.with(LAYOUT))
}

/// A paragraph for each paragraph of the text. A line that is the link becomes one. If the line above it ends with a
/// colon, that line becomes a button, and the address stays visible below.
pub(super) fn from_text(
    shelf: &Shelf,
    locale: &str,
    subject: &str,
    text: &str,
    link: &str,
) -> Result<String, Problem> {
    let paragraphs = text.split("\n\n").map(str::trim);
    let paragraphs = paragraphs.filter(|paragraph| !paragraph.is_empty());
    let paragraphs = paragraphs.map(|paragraph| {
        let (label, lines) = match paragraph.rsplit_once(":\n") {
            Some((label, address)) if address == link && !label.contains('\n') => (label, address),
            _ => ("", paragraph),
        };
        let lines: Vec<Value> = lines.lines().map(Value::from).collect();
        context! { label => label.trim_end(), lines }
    });
    let paragraphs: Vec<Value> = paragraphs.collect();
    shelf.render(LAYOUT, context! { locale, subject, paragraphs, link })
}
