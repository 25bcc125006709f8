//! Bodies of second factors.

use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::second_factor::switch;

/// What to keep in a safe place, to be shown once.
#[derive(Serialize, ToSchema)]
pub struct RecoveryCodes {
    /// Each works once.
    #[schema(example = json!(["7kq2-m0ra-x5vd-93fe"]))]
    recovery_codes: Vec<String>,
    /// How many sessions ended.
    revoked: usize,
}

impl RecoveryCodes {
    pub fn of(recovery_codes: Vec<String>, revoked: usize) -> Self {
        Self {
            recovery_codes,
            revoked,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = FactorRemoved)]
pub struct Removed {
    /// How many sessions ended.
    revoked: usize,
    /// Whether your logins still ask for a second factor.
    second_factor_required: bool,
}

impl From<switch::Removed> for Removed {
    fn from(removed: switch::Removed) -> Self {
        Self {
            revoked: removed.revoked,
            second_factor_required: removed.second_factor_required,
        }
    }
}
