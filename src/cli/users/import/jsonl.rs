//! JSON lines: an object on each line.

use std::io::BufRead;

use anyhow::bail;
use serde_json::{Map, Value};

use super::intake::{Intake, LINE_MAX, too_long};
use super::mapping::Mapping;
use crate::auth::import::columns::{Column, Raw};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Returns the keys that mean nothing here.
pub async fn read(mut input: impl BufRead, intake: &mut Intake) -> anyhow::Result<Vec<String>> {
    let (mut line, mut unused) = (Vec::new(), Vec::new());
    let mut seen = Vec::new();
    for number in 1.. {
        line.clear();
        let Some(whole) = read_line(&mut input, &mut line)? else {
            break;
        };
        let text = match number {
            1 => line.strip_prefix(BOM).unwrap_or(&line),
            _ => &line,
        };
        let text = text.trim_ascii();
        if number == 1 && text.first() == Some(&b'[') {
            bail!(
                "line 1: this is a JSON array. JSON lines are one object on each line: jq -c '.[]' makes them"
            );
        }
        if whole && text.is_empty() {
            continue;
        }
        let raw = match whole {
            true => parse(text, &intake.mapping, &mut seen, &mut unused),
            false => Err(too_long()),
        };
        intake.take(number, raw).await?;
    }
    intake.mapping.check_asked(&seen)?;
    Ok(unused)
}

/// Reads a line, of which it keeps no more than [`LINE_MAX`] bytes. `Some(false)`: there were more. `None`: the end.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<Option<bool>> {
    let mut whole = true;
    let mut any = false;
    loop {
        let piece = input.fill_buf()?;
        if piece.is_empty() {
            return Ok(any.then_some(whole));
        }
        any = true;
        let end = memchr::memchr(b'\n', piece);
        let part = &piece[..end.unwrap_or(piece.len())];
        whole &= line.len() + part.len() <= LINE_MAX;
        if whole {
            line.extend_from_slice(part);
        }
        let used = end.map_or(piece.len(), |end| end + 1);
        input.consume(used);
        if end.is_some() {
            return Ok(Some(whole));
        }
    }
}

fn parse(
    line: &[u8],
    mapping: &Mapping,
    seen: &mut Vec<Column>,
    unused: &mut Vec<String>,
) -> Result<Raw, String> {
    let text = std::str::from_utf8(line).map_err(|_| "this is not UTF-8".to_owned())?;
    let object: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| format!("this is not a JSON object (column {})", error.column()))?;
    let mut raw = Raw::default();
    for (key, value) in object {
        let Some(column) = mapping.find(&key) else {
            if unused.len() < 50 && !unused.contains(&key) {
                unused.push(key);
            }
            continue;
        };
        if !seen.contains(&column) {
            seen.push(column);
        }
        if let Some(text) = flat(value).map_err(|why| format!("{key} is {why}"))? {
            raw.set(column, text);
        }
    }
    Ok(raw)
}

/// The value as CSV would have it.
fn flat(value: Value) -> Result<Option<String>, &'static str> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Bool(_) | Value::Number(_) => Ok(Some(value.to_string())),
        Value::Array(all) => {
            let word = |value: &Value| {
                let text = value.as_str()?;
                let is_word = !text.is_empty() && !text.contains(char::is_whitespace);
                is_word.then(|| text.to_owned())
            };
            let words: Option<Vec<_>> = all.iter().map(word).collect();
            let words = words.ok_or("an array of something else than words")?;
            Ok(Some(words.join(" ")))
        }
        Value::Object(_) => Err("an object"),
    }
}
