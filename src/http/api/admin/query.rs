//! What administrators ask for: filters, pages, ids, roles.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use url::form_urlencoded;
use uuid::Uuid;

use crate::auth::administration::{Filter, Place};
use crate::auth::error::AuthError;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::domain::role::Role;

const USUAL_LIMIT: usize = 50;
const MAX_LIMIT: usize = 100;

/// The parameters of a query, the last of each name.
pub struct Query(BTreeMap<String, String>);

impl Query {
    pub fn of(text: &str) -> Self {
        let pairs = form_urlencoded::parse(text.as_bytes());
        Self(pairs.into_owned().collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn id(&self, name: &str) -> Result<Option<Uuid>, FieldError> {
        let parse = |text: &str| Uuid::parse_str(text).map_err(|_| invalid("Use an id."));
        self.get(name).map(parse).transpose()
    }
}

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
        let after = query
            .get("cursor")
            .map(|text| place(text).ok_or_else(|| invalid("Use next_cursor of the page before.")));
        let after = errors.take("cursor", after.transpose());
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

fn invalid(message: &str) -> FieldError {
    FieldError::new(FieldCode::Invalid, message)
}

/// The cursor that leads on from `place`.
pub fn cursor(place: &Place) -> String {
    let text = match place {
        Place::Registered(at, id) => format!("r{}.{id}", at.timestamp_micros()),
        Place::Username(key) => format!("u{key}"),
        Place::Email(key) => format!("e{key}"),
    };
    URL_SAFE_NO_PAD.encode(text)
}

fn place(cursor: &str) -> Option<Place> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    if text.contains('\0') {
        return None;
    }
    match text.split_at_checked(1)? {
        ("r", rest) => {
            let (micros, id) = rest.split_once('.')?;
            let at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
            Some(Place::Registered(at, Uuid::parse_str(id).ok()?))
        }
        ("u", key) => Some(Place::Username(key.to_owned())),
        ("e", key) => Some(Place::Email(key.to_owned())),
        _ => None,
    }
}

/// An id in the path. One that is malformed belongs to nobody.
pub fn id(text: &str) -> Result<Uuid, AuthError> {
    Uuid::parse_str(text).map_err(|_| AuthError::ItemNotFound)
}

/// Roles that can be granted, each once.
pub fn roles(texts: &[String]) -> Result<Vec<Role>, FieldError> {
    let parsed = texts.iter().map(|text| Role::to_grant(text));
    let mut roles = parsed.collect::<Result<Vec<_>, _>>()?;
    roles.sort();
    roles.dedup();
    Ok(roles)
}
