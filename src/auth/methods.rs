//! The ways into an account.

use super::error::Result;
use super::password::account_of;
use super::services::Services;
use super::session::live::Visit;

/// What a user can log in with.
pub struct LoginMethods {
    pub password: bool,
}

pub async fn of(services: &Services, visit: &Visit) -> Result<LoginMethods> {
    let account = account_of(services, visit).await?;
    Ok(LoginMethods {
        password: account.password_hash.is_some(),
    })
}
