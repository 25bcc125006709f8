//! Every way to fail, as problem details (RFC 9457).

use std::borrow::Cow;
use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};

use super::code::Code;
use super::problem_body::FieldProblem;
use super::timestamp::Timestamp;
use crate::auth::error::AuthError;
use crate::auth::limits::table::Limit;
use crate::auth::second_factor::step::Pending;
use crate::domain::field::{FieldError, FieldErrors};
use crate::domain::proof::Method;

/// An error on its way to the client. The edge adds what it knows about the request.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The code's own, but for one that a session changes.
    pub status: StatusCode,
    pub code: Code,
    pub detail: Cow<'static, str>,
    pub errors: Option<BTreeMap<&'static str, Vec<FieldProblem>>>,
    pub max_age: Option<u64>,
    pub needs: Option<Vec<String>>,
    pub methods: Option<Vec<&'static str>>,
    pub tries_left: Option<i16>,
    pub expires_at: Option<Timestamp>,
    pub retry_after: Option<u64>,
    pub allow: Option<String>,
    pub limit: Option<Limit>,
    /// For the log only; the edge writes it.
    pub cause: Option<String>,
}

impl Problem {
    pub fn new(code: Code) -> Self {
        Self::with_detail(code, code.facts().detail)
    }

    pub fn with_detail(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status: code.status(),
            code,
            detail: detail.into(),
            errors: None,
            max_age: None,
            needs: None,
            methods: None,
            tries_left: None,
            expires_at: None,
            retry_after: None,
            allow: None,
            limit: None,
            cause: None,
        }
    }

    /// A login whose second factor is still to be shown.
    pub fn second_factor_required(pending: &Pending) -> Self {
        Self {
            methods: Some(names(&pending.methods)),
            expires_at: Some(pending.expires_at.into()),
            ..Self::new(Code::SecondFactorRequired)
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

/// Every refusal has its code, and with it a status.
fn code_of(error: &AuthError) -> Code {
    match error {
        AuthError::NotAuthenticated => Code::NotAuthenticated,
        AuthError::AlreadyAuthenticated => Code::AlreadyAuthenticated,
        AuthError::InvalidCredentials => Code::InvalidCredentials,
        AuthError::AccountDisabled => Code::AccountDisabled,
        AuthError::RegistrationClosed => Code::RegistrationClosed,
        AuthError::EmailNotVerified => Code::EmailNotVerified,
        AuthError::TokenInvalid => Code::TokenInvalidOrExpired,
        AuthError::Forbidden { .. } => Code::Forbidden,
        AuthError::ItemNotFound => Code::ItemNotFound,
        AuthError::OwnAccount => Code::OwnAccount,
        AuthError::LastAdmin => Code::LastAdmin,
        AuthError::InvalidPasskey(_) => Code::InvalidPasskey,
        AuthError::UnknownPasskey => Code::UnknownPasskey,
        AuthError::ChallengeExpired => Code::ChallengeExpired,
        AuthError::PasskeyExists => Code::PasskeyExists,
        AuthError::LimitReached => Code::LimitReached,
        AuthError::LastLoginMethod => Code::LastLoginMethod,
        AuthError::LastSecondFactor => Code::LastSecondFactor,
        AuthError::NotOffered => Code::NotFound,
        AuthError::SecondFactorMissing => Code::SecondFactorMissing,
        AuthError::SessionNotFound => Code::SessionNotFound,
        AuthError::SecondFactorRequired { .. } => Code::SecondFactorRequired,
        AuthError::InvalidCode { .. } => Code::InvalidCode,
        AuthError::StepExpired => Code::StepExpired,
        AuthError::AlreadyEnabled => Code::AlreadyEnabled,
        AuthError::NoSecondFactor => Code::NoSecondFactor,
        AuthError::ReauthenticationRequired { .. } => Code::ReauthenticationRequired,
        AuthError::Invalid(_) => Code::ValidationFailed,
        AuthError::RateLimited(_) => Code::RateLimited,
        AuthError::Overloaded => Code::Overloaded,
        AuthError::ProviderUnavailable(_) => Code::ProviderUnavailable,
        AuthError::DatabaseUnavailable(_) => Code::DatabaseUnavailable,
        AuthError::Internal(_) => Code::InternalError,
    }
}

impl From<AuthError> for Problem {
    /// Adds what is known beside the code.
    fn from(error: AuthError) -> Self {
        let code = code_of(&error);
        let plain = Self::new(code);
        match error {
            AuthError::Forbidden { needs } => Self {
                needs: Some(needs),
                ..plain
            },
            AuthError::SecondFactorRequired { methods } => Self {
                // Inside a session a 401 would mean that it is over.
                status: StatusCode::FORBIDDEN,
                methods: Some(names(&methods)),
                ..plain
            },
            AuthError::InvalidCode { tries_left } => Self {
                tries_left: Some(tries_left),
                ..plain
            },
            AuthError::ReauthenticationRequired { max_age, methods } => Self {
                max_age: Some(max_age.as_secs()),
                methods: Some(names(&methods)),
                ..plain
            },
            AuthError::Invalid(errors) => Self::from(errors),
            AuthError::RateLimited(exceeded) => {
                let seconds = exceeded.retry_after.as_secs() + 1;
                Self {
                    retry_after: Some(seconds),
                    limit: Some(exceeded.limit),
                    ..Self::with_detail(code, please_wait(seconds))
                }
            }
            AuthError::Overloaded => Self::retry(code, 2),
            AuthError::ProviderUnavailable(why) => Self::retry(code, 5).caused_by(why),
            AuthError::DatabaseUnavailable(why) => Self::retry(code, 1).caused_by(why),
            AuthError::Internal(why) => plain.caused_by(why),
            _ => plain,
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

pub fn names(methods: &[Method]) -> Vec<&'static str> {
    methods.iter().map(|method| method.name()).collect()
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
        self.status
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
