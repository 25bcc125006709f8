//! What administrators ask for: filters, pages, ids, roles.

use uuid::Uuid;

use crate::auth::administration::{Filter, Place};
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::domain::role::Role;
use crate::http::wire::cursor;
use crate::http::wire::query::Query;

const USUAL_LIMIT: usize = 50;
const MAX_LIMIT: usize = 100;

/// A page of users.
pub struct Page {
    pub filter: Filter,
    pub after: Option<Place>,
    pub limit: usize,
}

impl Page {
    pub fn parse(query: &str) -> Result<Self, FieldErrors> {
        let query = Query::of(query);
        let mut errors = FieldErrors::default();
        let prefix = errors.take("q", query.get("q").map(prefix).transpose());
        let role = errors.take("role", query.get("role").map(Role::parse).transpose());
        let state = query.get("state").map(|text| {
            let wanted = "Use active, disabled or unverified.";
            text.parse().map_err(|_| invalid(wanted))
        });
        let state = errors.take("state", state.transpose());
        let is_by_name = query.get("q").is_some();
        let fits = |text: &str| place(text).filter(|place| place.is_by_name() == is_by_name);
        let after = errors.take("cursor", cursor::read(&query, fits));
        let limit = query.get("limit").map(|text| {
            let good = text
                .parse()
                .ok()
                .filter(|limit| (1..=MAX_LIMIT).contains(limit));
            good.ok_or_else(|| invalid("Use a number from 1 to 100."))
        });
        let limit = errors.take("limit", limit.transpose());
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            filter: Filter {
                prefix: prefix.flatten(),
                role: role.flatten(),
                state: state.flatten(),
            },
            after: after.flatten(),
            limit: limit.flatten().unwrap_or(USUAL_LIMIT),
        })
    }
}

fn prefix(text: &str) -> Result<String, FieldError> {
    if text.chars().count() < 2 {
        return Err(FieldError::new(
            FieldCode::TooShort,
            "Use at least 2 characters.",
        ));
    }
    if text.len() > 254 {
        return Err(FieldError::new(
            FieldCode::TooLong,
            "Use at most 254 characters.",
        ));
    }
    if text.contains('\0') {
        return Err(invalid("A name holds no NUL."));
    }
    Ok(text.to_owned())
}

pub fn invalid(message: &str) -> FieldError {
    FieldError::new(FieldCode::Invalid, message)
}

/// The cursor that leads on from `place`.
pub fn cursor_of(place: &Place) -> String {
    match place {
        Place::Registered(moment) => cursor::of_moment(*moment),
        Place::Username(key) => cursor::encode(&format!("u{key}")),
        Place::Email(key) => cursor::encode(&format!("e{key}")),
    }
}

/// Where a cursor leads on from.
pub fn place_of(cursor: &str) -> Option<Place> {
    place(&cursor::decode(cursor)?)
}

fn place(text: &str) -> Option<Place> {
    match text.split_at_checked(1)? {
        ("u", key) => Some(Place::Username(key.to_owned())),
        ("e", key) => Some(Place::Email(key.to_owned())),
        _ => cursor::to_moment(text).map(Place::Registered),
    }
}

/// An id among the parameters.
pub fn id_in(query: &Query, name: &str) -> Result<Option<Uuid>, FieldError> {
    let parse = |text: &str| Uuid::parse_str(text).map_err(|_| invalid("Use an id."));
    query.get(name).map(parse).transpose()
}
