//! Cursors: where a page ends. Opaque to clients, who send back what they got.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use uuid::Uuid;

use super::query::Query;
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::moment::Moment;

/// Microseconds from 1970 to 9999. PostgreSQL knows fewer times than chrono.
const TIMES: std::ops::Range<i64> = 0..253_402_300_800_000_000;

pub fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

pub fn decode(cursor: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    Some(text).filter(|text| !text.contains('\0'))
}

/// The cursor that leads on from `moment`.
pub fn of_moment(moment: Moment) -> String {
    encode(&format!("{}.{}", moment.at.timestamp_micros(), moment.id))
}

pub fn to_moment(text: &str) -> Option<Moment> {
    let (micros, id) = text.split_once('.')?;
    let micros = micros
        .parse()
        .ok()
        .filter(|micros| TIMES.contains(micros))?;
    let at = DateTime::from_timestamp_micros(micros)?;
    let id = Uuid::parse_str(id).ok()?;
    Some(Moment { at, id })
}

/// What the parameter `cursor` stands for, if there is one.
pub fn read<T>(
    query: &Query,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, FieldError> {
    let Some(cursor) = query.get("cursor") else {
        return Ok(None);
    };
    let place = decode(cursor).and_then(|text| parse(&text));
    let wrong = || FieldError::new(FieldCode::Invalid, "Use next_cursor of the page before.");
    place.map(Some).ok_or_else(wrong)
}
