//! Warns users whose password somebody keeps trying. The mailer does this later, because a refusal must not take longer
//! for an account that exists.

use super::{Facts, notice};
use crate::auth::limits::Charge;
use crate::auth::limits::table::PASSWORD_TRIED;
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::mail::kind::MailKind;
use crate::store::addresses;
use crate::store::db::error::DbError;
use crate::store::outbox;

/// Puts the warnings that are due into the outbox, one a day for each user.
pub async fn ask_for_warnings(services: &Services) -> Result<(), DbError> {
    let client = Client::at_shell("latchkey mailer");
    for id in services.mailbox.take_tried() {
        let once = Charge::new(PASSWORD_TRIED, id);
        if services.limits.take(&[once], &client).await.is_err() {
            continue;
        }
        services
            .db
            .run(async |conn| {
                let user = addresses::of_user(conn, id).await?;
                let facts = Facts::default();
                let warning = user
                    .as_ref()
                    .and_then(|user| notice(MailKind::PasswordTried, user, &facts));
                match warning {
                    Some(warning) => outbox::insert(conn, &warning).await,
                    None => Ok(0),
                }
            })
            .await?;
    }
    Ok(())
}
