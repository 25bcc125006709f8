//! Who gets a mail from the outbox, and what it says: decided when it is sent, in one transaction with its token.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::Facts;
use crate::domain::pages::Page;
use crate::domain::secret::MailToken;
use crate::mail::kind::MailKind;
use crate::store::addresses::{self, Addressee};
use crate::store::db::{Connection, QueryResult};
use crate::store::outbox::{self, Mail};
use crate::store::tokens::{self, NewToken, Purpose};

/// A mail whose recipient is known.
pub struct Resolved {
    pub kind: MailKind,
    pub user_id: Uuid,
    pub username: String,
    pub address: String,
    pub locale: Option<String>,
    /// The page that the link opens, and what it carries.
    pub page: Page,
    pub token: Option<MailToken>,
    pub facts: Facts,
    pub asked_at: DateTime<Utc>,
}

/// What becomes of a claimed mail.
pub enum Fate {
    Send(Box<Resolved>),
    /// Nobody should get it: its row is gone.
    Nobody,
    /// Another instance is sending it, or a newer release must, because only that knows its kind.
    NotOurs,
}

/// Decides what becomes of a mail. Its token becomes valid before the mail is sent, so that no link arrives dead.
pub async fn resolve(
    conn: &mut Connection,
    mail: &Mail,
    token_key: &[u8; 64],
) -> QueryResult<Fate> {
    if let Some(id) = recipient(conn, mail).await? {
        addresses::hold(conn, id).await?;
    }
    if !outbox::hold(conn, mail).await? {
        return Ok(Fate::NotOurs);
    }
    let letter = match mail.kind.parse() {
        Ok(kind) => compose(conn, mail, kind).await?,
        // Written by a newer release.
        Err(_) => return Ok(Fate::NotOurs),
    };
    let Some(mut letter) = letter else {
        outbox::remove(conn, mail.id).await?;
        return Ok(Fate::Nobody);
    };
    if let Some(purpose) = letter.purpose {
        if mail.user_id.is_none() {
            tokens::void_of_others(conn, mail.id, letter.to.user_id).await?;
        }
        let token = MailToken::derive(token_key, mail.id);
        let issued = NewToken {
            id: mail.id,
            purpose,
            user_id: letter.to.user_id,
            hash: token.hash(),
            email: &letter.to.address,
            asked_at: mail.created_at,
        };
        if !tokens::issue(conn, &issued).await? {
            outbox::remove(conn, mail.id).await?;
            return Ok(Fate::Nobody);
        }
        letter.to.token = Some(token);
    }
    Ok(Fate::Send(Box::new(letter.to)))
}

/// Whose account a mail is about, before anything is locked.
async fn recipient(conn: &mut Connection, mail: &Mail) -> QueryResult<Option<Uuid>> {
    if mail.user_id.is_some() {
        return Ok(mail.user_id);
    }
    let found = match addresses::holder(conn, &mail.address).await? {
        None => addresses::newest_waiting(conn, &mail.address).await?,
        holder => holder,
    };
    Ok(found.map(|user| user.id))
}

struct Composed {
    to: Resolved,
    purpose: Option<Purpose>,
}

async fn compose(
    conn: &mut Connection,
    mail: &Mail,
    kind: MailKind,
) -> QueryResult<Option<Composed>> {
    let user = match mail.user_id {
        Some(id) => addresses::of_user(conn, id).await?,
        None => whoever_has(conn, mail, kind).await?,
    };
    let Some(user) = user else {
        return Ok(None);
    };
    // A disabled account gets nothing that could open it.
    if user.disabled_at.is_some() && !kind.is_notice() {
        return Ok(None);
    }
    let (_, purpose) = leads_to(kind);
    Ok(match purpose {
        Some(Purpose::Verify) => verification(conn, mail, user).await?,
        Some(Purpose::Change) => change(conn, mail, user).await?,
        Some(Purpose::Reset | Purpose::Invitation) => {
            let pending = user.pending_email.clone();
            let pending = pending.filter(|_| kind == MailKind::ResetPassword);
            let address = user.email.clone().or(pending);
            address.map(|address| letter(mail, kind, &user, address))
        }
        // To the address that was valid when it happened.
        Some(Purpose::NotMe) => Some(letter(mail, kind, &user, mail.address.clone())),
        None => None,
    })
}

/// For a mail that only names an address: the user who has it, or the newest who waits for it. A verification is
/// replaced by one for each user who waits.
async fn whoever_has(
    conn: &mut Connection,
    mail: &Mail,
    kind: MailKind,
) -> QueryResult<Option<Addressee>> {
    let holder = addresses::holder(conn, &mail.address).await?;
    if holder.is_some() {
        return Ok(holder);
    }
    if kind == MailKind::VerifyEmail {
        outbox::for_each_pending(conn, kind.into(), &mail.address).await?;
        return Ok(None);
    }
    addresses::newest_waiting(conn, &mail.address).await
}

/// Asks for proof of the first address. If somebody else has it, that person hears instead that they have an account.
async fn verification(
    conn: &mut Connection,
    mail: &Mail,
    user: Addressee,
) -> QueryResult<Option<Composed>> {
    if user.email_verified_at.is_some() {
        return Ok(None);
    }
    if let Some(address) = user.email.clone() {
        return Ok(Some(letter(mail, MailKind::VerifyEmail, &user, address)));
    }
    match user.pending_email.clone() {
        Some(address) => prove_or_tell(conn, mail, MailKind::VerifyEmail, user, address).await,
        None => Ok(None),
    }
}

/// Asks for proof of another address, if it is still the one that the user wants.
async fn change(
    conn: &mut Connection,
    mail: &Mail,
    user: Addressee,
) -> QueryResult<Option<Composed>> {
    match user.pending_email.clone() {
        Some(address) if address == mail.address => {
            prove_or_tell(conn, mail, MailKind::ChangeEmail, user, address).await
        }
        _ => Ok(None),
    }
}

async fn prove_or_tell(
    conn: &mut Connection,
    mail: &Mail,
    kind: MailKind,
    user: Addressee,
    address: String,
) -> QueryResult<Option<Composed>> {
    let holder = addresses::holder(conn, &address).await?;
    Ok(match holder.filter(|holder| holder.id != user.id) {
        None => Some(letter(mail, kind, &user, address)),
        Some(other) if other.disabled_at.is_some() => None,
        Some(other) => {
            let address = other.email.clone().unwrap_or(address);
            Some(letter(mail, MailKind::AccountExists, &other, address))
        }
    })
}

fn letter(mail: &Mail, kind: MailKind, user: &Addressee, address: String) -> Composed {
    let (page, purpose) = leads_to(kind);
    let facts = serde_json::from_value(Value::clone(&mail.facts)).unwrap_or_default();
    Composed {
        to: Resolved {
            kind,
            user_id: user.id,
            username: user.username.clone(),
            address,
            locale: user.locale.clone().or_else(|| mail.locale.clone()),
            page,
            token: None,
            facts,
            asked_at: mail.created_at,
        },
        purpose,
    }
}

/// The page that a mail's link opens, and what its token is good for.
fn leads_to(kind: MailKind) -> (Page, Option<Purpose>) {
    match kind {
        MailKind::VerifyEmail => (Page::Verify, Some(Purpose::Verify)),
        MailKind::ResetPassword | MailKind::PasswordTried => (Page::Reset, Some(Purpose::Reset)),
        MailKind::Invitation => (Page::Reset, Some(Purpose::Invitation)),
        MailKind::ChangeEmail => (Page::Change, Some(Purpose::Change)),
        notice if notice.is_notice() => (Page::NotMe, Some(Purpose::NotMe)),
        // Whoever has an account knows where to log in.
        _ => (Page::Login, None),
    }
}
