//! Inviting a user, who chooses the password by a mailed link. Whoever redeems it has proven the address.

use super::outbox;
use crate::domain::email::Email;
use crate::domain::username::Username;
use crate::mail::kind::MailKind;
use crate::store::db::{Connection, QueryResult};
use crate::store::outbox as mails;
use crate::store::users::{self, NewUser, User};

/// Creates a user without a password, and the mail.
pub async fn create(
    conn: &mut Connection,
    username: &Username,
    email: &Email,
) -> QueryResult<User> {
    let new = NewUser {
        username,
        email: Some(email),
        pending_email: None,
        password_hash: None,
        locale: None,
    };
    let user = users::insert(conn, &new).await?;
    let mail = outbox::to_user(MailKind::Invitation, user.id, email.as_str(), None);
    mails::insert(conn, &mail).await?;
    Ok(user)
}
