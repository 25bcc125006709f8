//! The outbox: where rules ask for mails. Asking inserts one row and looks nobody up, so that a request takes as long
//! for an unknown address as for a user's. The mailer finds out later who gets what.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::error::{AuthError, Result};
use super::limits::Charge;
use super::limits::table::{MAIL, MAILBOX, NEW_SIGN_IN};
use super::services::Services;
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::locale::Locale;
use crate::mail::kind::MailKind;
use crate::store::addresses::{self, Addressee};
use crate::store::db::error::DbError;
use crate::store::db::{Connection, QueryResult};
use crate::store::outbox::{self, NewMail};
use crate::store::users::User;

pub mod mailbox;
pub mod mailer;
pub mod patience;
pub mod resolve;
mod warnings;

/// What the mailer needs to know beside the kind.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Facts {
    /// What the browser says of itself. Mails name only its family and system, from closed lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// A mail to a user at this address, which the mailer compares with the user's own.
pub fn to_user<'a>(
    kind: MailKind,
    id: Uuid,
    address: &'a str,
    locale: Option<&'a str>,
) -> NewMail<'a> {
    new(kind, Some(id), address, locale)
}

/// A mail that tells users what happened to their account, at the address that they have now. `None` without one.
pub fn notice<'a>(kind: MailKind, user: &'a Addressee, facts: &Facts) -> Option<NewMail<'a>> {
    let address = user.email.as_deref()?;
    Some(NewMail {
        facts: serde_json::to_value(facts).unwrap_or_default(),
        ..to_user(kind, user.id, address, user.locale.as_deref())
    })
}

fn new<'a>(
    kind: MailKind,
    user_id: Option<Uuid>,
    address: &'a str,
    locale: Option<&'a str>,
) -> NewMail<'a> {
    NewMail {
        id: Uuid::now_v7(),
        kind: kind.into(),
        user_id,
        address,
        locale,
        facts: Value::Object(serde_json::Map::new()),
    }
}

/// Tells users of a change at the address that they had before it.
pub async fn tell(
    conn: &mut Connection,
    kind: MailKind,
    user: &Addressee,
    facts: &Facts,
) -> QueryResult<()> {
    if let Some(mail) = notice(kind, user, facts) {
        outbox::insert(conn, &mail).await?;
    }
    Ok(())
}

/// The same outside of a transaction.
pub async fn tell_by_id(
    services: &Services,
    kind: MailKind,
    user_id: Uuid,
    facts: &Facts,
) -> std::result::Result<(), DbError> {
    let told = services.db.run(async |conn| {
        let user = addresses::of_user(conn, user_id).await?;
        match &user {
            Some(user) => tell(conn, kind, user, facts).await,
            None => Ok(()),
        }
    });
    told.await
}

/// Puts a mail into the outbox for whoever has an address, in the same way for every address.
pub async fn ask_by_address(
    services: &Services,
    kind: MailKind,
    email: &Email,
    client: &Client,
) -> Result<()> {
    if is_due(services, email, client).await? {
        let locale = client.locale.as_ref().map(Locale::as_str);
        ask(services, &new(kind, None, email.as_str(), locale)).await?;
    }
    Ok(())
}

/// Puts a mail into the outbox.
pub async fn ask(services: &Services, mail: &NewMail<'_>) -> Result<()> {
    services
        .db
        .run(async |conn| outbox::insert(conn, mail).await)
        .await?;
    services.mailbox.wake();
    Ok(())
}

/// Charges a mail to whoever asks for it, and to the mailbox. False if the mailbox gets no more for now; the asker must
/// not learn that.
pub async fn is_due(services: &Services, email: &Email, client: &Client) -> Result<bool> {
    let asker = Charge::new(MAIL, client.network());
    services.limits.take(&[asker], client).await?;
    has_room(services, email, client).await
}

/// Charges a mail to its mailbox alone.
pub async fn has_room(services: &Services, email: &Email, client: &Client) -> Result<bool> {
    let mailbox = Charge::new(MAILBOX, folded(email));
    match services.limits.take(&[mailbox], client).await {
        Ok(()) => Ok(true),
        Err(AuthError::RateLimited(_)) => Ok(false),
        Err(other) => Err(other),
    }
}

/// One name for all that PostgreSQL's `lower()` may take for the same address, whatever its locale. U+0130, a capital i with
/// a dot, becomes `i` there and two characters in Rust.
fn folded(email: &Email) -> String {
    let fold = |c: char| c.to_uppercase().next()?.to_lowercase().next();
    email.as_str().chars().filter_map(fold).collect()
}

/// Whether a notice may go out: always to an address that its user has proven. Others may belong to a stranger, whom
/// the user must not flood.
pub async fn may_tell(services: &Services, user: &User, client: &Client) -> Result<bool> {
    let email = user.email.as_deref();
    let unproven = email.filter(|_| user.email_verified_at.is_none());
    match unproven.map(Email::parse) {
        Some(Ok(email)) => has_room(services, &email, client).await,
        _ => Ok(true),
    }
}

/// What a notice says of the client.
pub fn facts_of(client: &Client) -> Facts {
    Facts {
        user_agent: client.user_agent.clone(),
    }
}

/// What it takes to tell users of a change in the transaction that makes it.
pub struct Notice {
    facts: Facts,
    may_go: bool,
}

impl Notice {
    /// Before the transaction.
    pub async fn prepare(services: &Services, user: &User, client: &Client) -> Result<Self> {
        Ok(Self {
            facts: facts_of(client),
            may_go: may_tell(services, user, client).await?,
        })
    }

    /// Within it, once it holds the user.
    pub async fn tell(
        &self,
        conn: &mut Connection,
        kind: MailKind,
        user_id: Uuid,
    ) -> QueryResult<()> {
        if self.may_go
            && let Some(user) = addresses::of_user(conn, user_id).await?
        {
            tell(conn, kind, &user, &self.facts).await?;
        }
        Ok(())
    }
}

/// Tells users of a login from a browser that is new to them. A login does not fail for it.
pub async fn tell_of_sign_in(services: &Services, user_id: Uuid, client: &Client) {
    let told = async {
        let a_day = Charge::new(NEW_SIGN_IN, user_id);
        services.limits.take(&[a_day], client).await?;
        tell_by_id(services, MailKind::NewSignIn, user_id, &facts_of(client)).await?;
        services.mailbox.wake();
        Ok::<(), AuthError>(())
    };
    match told.await {
        Ok(()) | Err(AuthError::RateLimited(_)) => {}
        Err(error) => tracing::warn!(%error, "cannot tell a user of a new sign-in"),
    }
}
