//! What the session middleware and the handler of a request tell each other.

use uuid::Uuid;

use crate::auth::error::AuthError;
use crate::auth::session::Issued;
use crate::auth::session::live::Visit;
use crate::domain::secret::SessionKey;

/// Whom the session cookie identifies. The middleware writes it, the guards read it.
pub struct SessionState(pub Result<Option<Visit>, AuthError>);

/// A change of what the browser holds. `Browser` writes it, the middleware applies it.
pub enum Change {
    Session(SessionChange),
    /// The key of a login that waits for the second factor, or none any more.
    Step(Option<SessionKey>),
}

pub enum SessionChange {
    LogIn { user_id: Uuid, issued: Issued },
    LogOut,
}
