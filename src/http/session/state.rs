//! What the session middleware and the handler of a request tell each other.

use uuid::Uuid;

use crate::auth::error::AuthError;
use crate::auth::session::Issued;
use crate::auth::session::live::Visit;

/// Whom the session cookie identifies. The middleware writes it, the guards read it.
pub struct SessionState(pub Result<Option<Visit>, AuthError>);

/// A change of the browser's session. `Browser` writes it, the middleware applies it.
pub enum Change {
    LogIn { user_id: Uuid, issued: Issued },
    LogOut,
}
