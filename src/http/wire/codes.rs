//! Codes in forms.

use serde_json::Value;

use crate::auth::second_factor::code::Code;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::domain::recovery_code::RecoveryCode;
use crate::domain::totp_code::TotpCode;
use crate::http::wire::body::{Field, Sent};

/// The code in one of the two fields, if any.
pub fn optional(
    code: Option<Sent<String>>,
    recovery_code: Option<Sent<String>>,
    errors: &mut FieldErrors,
) -> Option<Code> {
    let code = code
        .optional()
        .and_then(|text| text.map(|text| totp(&text)).transpose());
    let recovery = recovery_code.optional();
    let recovery = recovery.and_then(|text| text.map(|text| recovery_code_of(&text)).transpose());
    let code = errors.take("code", code).flatten().map(Code::Totp);
    let recovery = errors.take("recovery_code", recovery).flatten();
    match (code, recovery.map(Code::Recovery)) {
        (Some(_), Some(_)) => {
            let both = FieldError::new(FieldCode::Invalid, "Send code or recovery_code, not both.");
            errors.add("recovery_code", both);
            None
        }
        (code, recovery) => code.or(recovery),
    }
}

/// A passkey in place of whatever else a form takes.
pub fn credential(
    sent: Option<Sent<Value>>,
    has_other: bool,
    errors: &mut FieldErrors,
) -> Option<Value> {
    let sent = errors.take("credential", sent.optional()).flatten();
    if sent.is_some() && has_other {
        let both = FieldError::new(FieldCode::Invalid, "Send a passkey alone.");
        errors.add("credential", both);
        return None;
    }
    sent
}

pub fn totp(text: &str) -> Result<TotpCode, FieldError> {
    let why = "Enter the six digits that your app shows.";
    TotpCode::parse(text).ok_or_else(|| FieldError::new(FieldCode::Invalid, why))
}

fn recovery_code_of(text: &str) -> Result<RecoveryCode, FieldError> {
    let why = "A recovery code has 16 letters and digits, such as 7kq2-m0ra-x5vd-93fe.";
    RecoveryCode::parse(text).ok_or_else(|| FieldError::new(FieldCode::Invalid, why))
}
