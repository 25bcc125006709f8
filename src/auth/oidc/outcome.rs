//! What somebody has who comes back from a provider.

use strum::{IntoStaticStr, VariantNames};
use uuid::Uuid;

use crate::auth::second_factor::step::Pending;
use crate::auth::session::{Issued, Started};
use crate::domain::secret::SessionKey;

#[derive(IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    LoggedIn {
        started: Box<Started>,
        redirect_to: Option<String>,
    },
    /// The user's second factor is on, and still to be shown.
    SecondFactor(Pending),
    /// Nobody here has this identity: the person may choose a name, in the step with this key.
    ChooseUsername(SessionKey),
    Linked,
    Reauthenticated {
        issued: Issued,
        user_id: Uuid,
        redirect_to: Option<String>,
    },
}
