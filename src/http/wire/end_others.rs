//! Whether a change of factors ends the other sessions, as forms say it.

use serde::Deserialize;
use utoipa::ToSchema;

use super::body::{Field, Sent};
use crate::auth::second_factor::switch::Scope;
use crate::domain::field::FieldErrors;

/// A form that asks for nothing else.
#[derive(Default, Deserialize, ToSchema)]
pub struct EndOthers {
    /// Whether your other sessions end.
    #[schema(value_type = Option<bool>, default = true)]
    end_other_sessions: Option<Sent<bool>>,
}

impl EndOthers {
    /// They end unless somebody says otherwise.
    pub fn scope(self) -> Result<Scope, FieldErrors> {
        let mut errors = FieldErrors::default();
        let scope = scope(self.end_other_sessions, true, &mut errors);
        if errors.is_empty() {
            Ok(scope)
        } else {
            Err(errors)
        }
    }
}

/// The field of a larger form. Without a value it is as usual.
pub fn scope(sent: Option<Sent<bool>>, usual: bool, errors: &mut FieldErrors) -> Scope {
    let end = errors.take("end_other_sessions", sent.optional());
    match end.flatten().unwrap_or(usual) {
        true => Scope::EndOthers,
        false => Scope::KeepOthers,
    }
}
