//! How a value is written into a mail, and into a page that shows mails.

use minijinja::{Error, Output, State, Value};

/// A formatter for minijinja. Unlike minijinja's own it escapes in every template named `.html`, even within
/// `{% autoescape false %}`, and leaves `/` as it is: spam filters distrust addresses written with `&#x2f;`.
pub fn write_value(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    let text = value.to_string();
    // Only `{% set %}` with a block makes a safe value here, of what was escaped already.
    if !state.name().ends_with(".html") || value.is_safe() {
        return Ok(out.write_str(&text)?);
    }
    for c in text.chars() {
        match c {
            '&' => out.write_str("&amp;")?,
            '<' => out.write_str("&lt;")?,
            '>' => out.write_str("&gt;")?,
            '"' => out.write_str("&quot;")?,
            '\'' => out.write_str("&#39;")?,
            _ => write!(out, "{c}")?,
        }
    }
    Ok(())
}
