//! What the middleware and the handlers of one request tell each other about its session.

use uuid::Uuid;

use crate::auth::error::AuthError;
use crate::auth::session::Issued;
use crate::auth::session::live::Visit;

/// What the request's cookie led to. The middleware writes it, the guards read it.
pub struct SessionState(pub Result<Option<Visit>, AuthError>);

/// What the browser is to hold after the answer. A handler asks for it by its `Browser`, the middleware does it.
pub enum Change {
    LogIn { user_id: Uuid, issued: Issued },
    LogOut,
}
