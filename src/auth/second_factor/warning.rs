//! Warns users of wrong codes: whoever enters them knows the password.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::auth::error::Result;
use crate::auth::outbox::{facts_of, notice};
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::domain::secret::KeyHash;
use crate::mail::kind::MailKind;
use crate::store::db::{Connection, QueryResult};
use crate::store::second_factor::steps::{self, Step};
use crate::store::users::{self, Account};
use crate::store::{addresses, outbox};

/// Of five tries, three were wrong. People mistype one code, or miss the end of its time.
const LEFT_AFTER_THREE: i16 = 2;

/// The warning goes out when the step ends without a login: now if no try is left, else when its time is over.
pub async fn note(
    services: &Services,
    key: &KeyHash,
    account: &Account,
    step: &Step,
    now: DateTime<Utc>,
    client: &Client,
) -> Result<()> {
    if step.tries_left > LEFT_AFTER_THREE {
        return Ok(());
    }
    let due_at = match step.tries_left {
        0 => now,
        _ => step.expires_at,
    };
    let id = account.user.id;
    let noted = services.db.transaction(async |conn| {
        // A login that succeeded meanwhile needs no warning.
        if users::lock(conn, id).await?.is_none() || !steps::is_unused(conn, key).await? {
            return Ok(());
        }
        let user = addresses::of_user(conn, id).await?;
        let facts = facts_of(client);
        let mail = user.as_ref();
        let mail = mail.and_then(|user| notice(MailKind::SecondFactorFailed, user, &facts));
        if let Some(mut mail) = mail {
            mail.id = mail_of(key);
            outbox::insert_due(conn, &mail, due_at).await?;
        }
        Ok(())
    });
    noted.await?;
    services.mailbox.wake();
    Ok(())
}

/// The login has succeeded after all.
pub async fn take_back(conn: &mut Connection, key: &KeyHash) -> QueryResult<()> {
    outbox::remove(conn, mail_of(key)).await.map(drop)
}

/// The id of the mail about a step, so that it can be found again. The key in the cookie does not follow from it.
fn mail_of(key: &KeyHash) -> Uuid {
    let mut id = [0; 16];
    id.copy_from_slice(&key.as_bytes()[..16]);
    Uuid::from_bytes(id)
}
