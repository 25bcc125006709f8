//! The error codes, each with its status and its meaning.

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// What went wrong: stable words for programs. `GET /api/errors` explains each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    MalformedJson,
    BadRequest,
    NotAuthenticated,
    InvalidCredentials,
    AccountDisabled,
    CrossOriginRequest,
    ReauthenticationRequired,
    NotFound,
    SessionNotFound,
    MethodNotAllowed,
    RequestTimeout,
    AlreadyAuthenticated,
    PayloadTooLarge,
    UnsupportedMediaType,
    ValidationFailed,
    RateLimited,
    InternalError,
    Overloaded,
    DatabaseUnavailable,
}

impl Code {
    pub const ALL: &[Self] = &[
        Self::MalformedJson,
        Self::BadRequest,
        Self::NotAuthenticated,
        Self::InvalidCredentials,
        Self::AccountDisabled,
        Self::CrossOriginRequest,
        Self::ReauthenticationRequired,
        Self::NotFound,
        Self::SessionNotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::AlreadyAuthenticated,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::ValidationFailed,
        Self::RateLimited,
        Self::InternalError,
        Self::Overloaded,
        Self::DatabaseUnavailable,
    ];

    /// Status, title, meaning.
    pub fn facts(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::MalformedJson => (
                400,
                "Malformed JSON",
                "The body is not one JSON object, or names a field twice.",
            ),
            Self::BadRequest => (
                400,
                "Bad request",
                "The request is not valid HTTP for this path.",
            ),
            Self::NotAuthenticated => {
                (401, "Not logged in", "Log in first; login_url tells where.")
            }
            Self::InvalidCredentials => (
                401,
                "Wrong name or password",
                "No user has this name and this password.",
            ),
            Self::AccountDisabled => (
                403,
                "Account disabled",
                "The password was right, but the account is disabled.",
            ),
            Self::CrossOriginRequest => (
                403,
                "Cross-origin request",
                "A page of another origin made this request and is not trusted.",
            ),
            Self::ReauthenticationRequired => (
                403,
                "Password needed again",
                "POST /api/reauthenticate, then try again; max_age is in seconds.",
            ),
            Self::NotFound => (404, "Not found", "There is nothing at this path."),
            Self::SessionNotFound => (
                404,
                "Session not found",
                "You have no session with this id.",
            ),
            Self::MethodNotAllowed => (
                405,
                "Method not allowed",
                "The path exists; the Allow header lists its methods.",
            ),
            Self::RequestTimeout => (408, "Request too slow", "The body did not arrive in time."),
            Self::AlreadyAuthenticated => (409, "Already logged in", "Log out first."),
            Self::PayloadTooLarge => (
                413,
                "Body too large",
                "Bodies are limited to 16 KiB, also after decompression.",
            ),
            Self::UnsupportedMediaType => (
                415,
                "Unsupported media type",
                "Send the body as application/json, plain or with gzip.",
            ),
            Self::ValidationFailed => (
                422,
                "Validation failed",
                "errors lists what is wrong, by field.",
            ),
            Self::RateLimited => (
                429,
                "Too many tries",
                "Wait as long as Retry-After says, in seconds.",
            ),
            Self::InternalError => (
                500,
                "Internal error",
                "A mistake of ours; the log has it under this request_id.",
            ),
            Self::Overloaded => (
                503,
                "Overloaded",
                "Too many passwords are being checked; try again shortly.",
            ),
            Self::DatabaseUnavailable => (
                503,
                "Database unavailable",
                "The database is away; try again shortly.",
            ),
        }
    }

    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.facts().0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The code for an answer that actix made without us.
    pub fn for_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::NotAuthenticated,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            408 => Self::RequestTimeout,
            413 => Self::PayloadTooLarge,
            415 => Self::UnsupportedMediaType,
            429 => Self::RateLimited,
            503 => Self::Overloaded,
            500.. => Self::InternalError,
            _ => Self::BadRequest,
        }
    }
}
