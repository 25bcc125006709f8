//! Every way to fail, as problem details (RFC 9457).

use std::borrow::Cow;
use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use strum::VariantNames;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::code::Code;
use super::words::one_of;
use crate::auth::error::AuthError;
use crate::auth::limits::table::Limit;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};

/// An error on its way to the client. The edge adds what it knows about the request.
#[derive(Debug, Clone)]
pub struct Problem {
    pub code: Code,
    pub detail: Cow<'static, str>,
    pub errors: Option<BTreeMap<&'static str, Vec<FieldProblem>>>,
    pub max_age: Option<u64>,
    pub needs: Option<Vec<String>>,
    pub retry_after: Option<u64>,
    pub allow: Option<String>,
    pub limit: Option<Limit>,
    /// For the log only; the edge writes it.
    pub cause: Option<String>,
}

/// One error in one field.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldProblem {
    #[schema(value_type = FieldCodeName)]
    pub code: &'static str,
    /// A sentence that an app may show as it is.
    #[schema(example = "Please use a different username.")]
    pub message: String,
}

/// The values of [`FieldCode`] in the OpenAPI document.
pub struct FieldCodeName;

impl PartialSchema for FieldCodeName {
    fn schema() -> RefOr<Schema> {
        let words = one_of(FieldCode::VARIANTS);
        words
            .description(Some("What is wrong with a field."))
            .into()
    }
}

impl ToSchema for FieldCodeName {}

/// Problem details (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    #[schema(example = "/api/errors#validation_failed")]
    pub r#type: String,
    pub title: &'a str,
    pub status: u16,
    pub code: Code,
    /// A sentence that an app may show as it is.
    pub detail: &'a str,
    /// The path of the request.
    pub instance: &'a str,
    /// Also in the header X-Request-Id and in the log.
    pub request_id: uuid::Uuid,
    /// With validation_failed: the errors of each field.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, Vec<FieldProblem>>>, nullable = false)]
    pub errors: Option<&'a BTreeMap<&'static str, Vec<FieldProblem>>>,
    /// With not_authenticated: the login page, with a next that leads back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub login_url: Option<String>,
    /// With reauthentication_required: how recent the password must be, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max_age: Option<u64>,
    /// With forbidden: the roles of which one would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub needs: Option<&'a [String]>,
}

impl Problem {
    pub fn new(code: Code) -> Self {
        Self::with_detail(code, code.facts().detail)
    }

    pub fn with_detail(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: None,
            max_age: None,
            needs: None,
            retry_after: None,
            allow: None,
            limit: None,
            cause: None,
        }
    }

    fn retry(code: Code, seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..Self::new(code)
        }
    }

    fn caused_by(self, why: String) -> Self {
        Self {
            cause: Some(why),
            ..self
        }
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::NotAuthenticated => Self::new(Code::NotAuthenticated),
            AuthError::AlreadyAuthenticated => Self::new(Code::AlreadyAuthenticated),
            AuthError::InvalidCredentials => Self::new(Code::InvalidCredentials),
            AuthError::AccountDisabled => Self::new(Code::AccountDisabled),
            AuthError::RegistrationClosed => Self::new(Code::RegistrationClosed),
            AuthError::EmailNotVerified => Self::new(Code::EmailNotVerified),
            AuthError::TokenInvalid => Self::new(Code::TokenInvalidOrExpired),
            AuthError::Forbidden { needs } => Self {
                needs: Some(needs),
                ..Self::new(Code::Forbidden)
            },
            AuthError::ItemNotFound => Self::new(Code::ItemNotFound),
            AuthError::OwnAccount => Self::new(Code::OwnAccount),
            AuthError::LastAdmin => Self::new(Code::LastAdmin),
            AuthError::SecondFactorMissing => Self::new(Code::SecondFactorMissing),
            AuthError::SessionNotFound => Self::new(Code::SessionNotFound),
            AuthError::ReauthenticationRequired { max_age } => Self {
                max_age: Some(max_age.as_secs()),
                ..Self::new(Code::ReauthenticationRequired)
            },
            AuthError::Invalid(errors) => Self::from(errors),
            AuthError::RateLimited(exceeded) => {
                let seconds = exceeded.retry_after.as_secs() + 1;
                Self {
                    retry_after: Some(seconds),
                    limit: Some(exceeded.limit),
                    ..Self::with_detail(Code::RateLimited, please_wait(seconds))
                }
            }
            AuthError::Overloaded => Self::retry(Code::Overloaded, 2),
            AuthError::DatabaseUnavailable(why) => {
                Self::retry(Code::DatabaseUnavailable, 1).caused_by(why)
            }
            AuthError::Internal(why) => Self::new(Code::InternalError).caused_by(why),
        }
    }
}

impl From<FieldErrors> for Problem {
    fn from(errors: FieldErrors) -> Self {
        let count = errors.iter().len();
        let detail = if count == 1 {
            "1 field needs attention.".into()
        } else {
            format!("{count} fields need attention.")
        };
        let shown = |error: &FieldError| FieldProblem {
            code: error.code.into(),
            message: error.message.clone(),
        };
        let errors = errors
            .iter()
            .map(|(field, errors)| (field, errors.iter().map(shown).collect()))
            .collect();
        Self {
            errors: Some(errors),
            ..Self::with_detail(Code::ValidationFailed, detail)
        }
    }
}

/// Uses the largest unit that stays readable.
fn please_wait(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..=119 => (seconds, "second"),
        120..=7199 => (seconds.div_ceil(60), "minute"),
        _ => (seconds.div_ceil(3600), "hour"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("Please wait {count} {unit}{plural} before trying again.")
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    /// An empty response with the problem attached; the edge writes the body.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status_code());
        response.extensions_mut().insert(self.clone());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_times_use_a_readable_unit() {
        for (seconds, said) in [
            (1, "1 second"),
            (2, "2 seconds"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (121, "3 minutes"),
            (7199, "120 minutes"),
            (7200, "2 hours"),
            (7201, "3 hours"),
        ] {
            let expected = format!("Please wait {said} before trying again.");
            assert_eq!(please_wait(seconds), expected);
        }
    }
}
