//! Warns users whose password somebody keeps trying. The mailer does this later, because a refusal must not take longer
//! for an account that exists.

use super::{Facts, tell_by_id};
use crate::auth::limits::Charge;
use crate::auth::limits::table::PASSWORD_TRIED;
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::mail::kind::MailKind;
use crate::store::db::error::DbError;

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
