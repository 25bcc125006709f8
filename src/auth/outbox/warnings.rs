//! Warnings that somebody tries to get in. The mailer asks for those of tried passwords, because a refusal must not take
//! longer for an account that exists.

use super::{Facts, tell_by_id};
use crate::auth::error::AuthError;
use crate::auth::limits::Charge;
use crate::auth::limits::table::{PASSWORD_TRIED, SECOND_FACTOR_FAILED};
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::mail::kind::MailKind;
use crate::store::db::error::DbError;
use crate::store::outbox::Mail;

/// Puts the warnings that are due into the outbox, one a day for each user.
pub async fn ask_for_warnings(services: &Services) -> Result<(), DbError> {
    let client = Client::at_shell("latchkey mailer");
    for id in services.mailbox.take_tried() {
        let once = Charge::new(PASSWORD_TRIED, id);
        if services.limits.take(&[once], &client).await.is_err() {
            continue;
        }
        tell_by_id(services, MailKind::PasswordTried, id, &Facts::default()).await?;
    }
    Ok(())
}

/// False for a warning of wrong codes if its user got one within a day. Asked before the first attempt to send it, not when
/// a login fails: that login may succeed yet, and then it must not have used up the warning of a day.
pub async fn may_go(services: &Services, mail: &Mail) -> bool {
    let (Ok(MailKind::SecondFactorFailed), Some(id)) = (mail.kind.parse(), mail.user_id) else {
        return true;
    };
    if mail.tries > 1 {
        return true;
    }
    let client = Client::at_shell("latchkey mailer");
    let once = Charge::new(SECOND_FACTOR_FAILED, id);
    let taken = services.limits.take(&[once], &client).await;
    !matches!(taken, Err(AuthError::RateLimited(_)))
}
