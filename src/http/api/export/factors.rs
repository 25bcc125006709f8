//! The second factors in an export.

use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::export::Held;
use crate::http::api::views::DeviceView;
use crate::http::wire::problem_body::MethodName;
use crate::http::wire::timestamp::Timestamp;

#[derive(Serialize, ToSchema)]
pub struct ExportedFactors {
    /// Authenticator apps. Their secrets are left out.
    totp_secrets: Vec<ExportedTotp>,
    recovery_sets: Vec<ExportedRecoverySet>,
    /// Those that you have not used. Their hashes are left out.
    recovery_codes: Vec<ExportedRecoveryCode>,
    /// Browsers in which your logins need no second factor.
    trusted_devices: Vec<DeviceView>,
    /// Logins that wait for the second factor.
    login_steps: Vec<ExportedStep>,
}

#[derive(Serialize, ToSchema)]
struct ExportedTotp {
    created_at: Timestamp,
    /// Null until you show a code.
    confirmed_at: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
struct ExportedRecoverySet {
    created_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
struct ExportedRecoveryCode {
    created_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
struct ExportedStep {
    #[schema(example = "second_factor")]
    kind: String,
    /// With what somebody proved so far that they are you.
    #[schema(value_type = Vec<MethodName>, example = json!(["password"]))]
    methods: Vec<String>,
    remembered: bool,
    redirect_to: Option<String>,
    tries_left: i16,
    expires_at: Timestamp,
}

impl From<Held> for ExportedFactors {
    fn from(held: Held) -> Self {
        let apps = held.totp_secrets.into_iter();
        let apps = apps.map(|(created_at, confirmed_at)| ExportedTotp {
            created_at: created_at.into(),
            confirmed_at: confirmed_at.map(Timestamp),
        });
        let sets = held.recovery_sets.into_iter();
        let sets = sets.map(|at| ExportedRecoverySet {
            created_at: at.into(),
        });
        let codes = held.recovery_codes.into_iter();
        let codes = codes.map(|at| ExportedRecoveryCode {
            created_at: at.into(),
        });
        let devices = held.trusted_devices.into_iter().map(DeviceView::from);
        let steps = held.login_steps.into_iter();
        let steps = steps.map(|step| ExportedStep {
            kind: step.kind,
            methods: step.methods,
            remembered: step.remembered,
            redirect_to: step.redirect_to,
            tries_left: step.tries_left,
            expires_at: step.expires_at.into(),
        });
        Self {
            totp_secrets: apps.collect(),
            recovery_sets: sets.collect(),
            recovery_codes: codes.collect(),
            trusted_devices: devices.collect(),
            login_steps: steps.collect(),
        }
    }
}
