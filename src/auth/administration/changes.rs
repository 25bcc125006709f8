//! What administrators change. One of them always stays: nobody can remove the last.
//!
//! A change is made and recorded in one transaction, in which its administrator is still one and still logged in. That
//! they were when the request began is not enough: its body may take a while to arrive.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Listed, find, not_an_administrator};
use crate::auth::error::{AuthError, Result};
use crate::auth::events::{self, Kind};
use crate::auth::services::Services;
use crate::auth::session::live::Visit;
use crate::auth::{account, deletion, invitation, outbox, session};
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::role::{ADMIN, Role};
use crate::domain::username::Username;
use crate::mail::kind::MailKind;
use crate::store::db::error::DbError;
use crate::store::db::{Connection, QueryResult};
use crate::store::events::NewEvent;
use crate::store::outbox as mails;
use crate::store::roles::{self, Administrators};
use crate::store::{addresses, sessions, users};

/// Who changes something, from where.
#[derive(Clone, Copy)]
pub struct Administrator<'a> {
    pub visit: &'a Visit,
    pub client: &'a Client,
}

/// What came of a change, and what is recorded of it.
type Done<T> = (T, Option<NewEvent>);

impl Administrator<'_> {
    fn id(self) -> Uuid {
        self.visit.user.id
    }

    fn event(self, kind: Kind, user_id: Option<Uuid>, details: Option<Value>) -> Option<NewEvent> {
        Some(NewEvent {
            actor_id: Some(self.id()),
            details,
            ..events::made(kind, user_id, self.client)
        })
    }

    /// Changes something while nobody else changes who administers.
    async fn change<T>(
        self,
        services: &Services,
        work: impl AsyncFnOnce(&mut Connection, &Administrators) -> QueryResult<Result<Done<T>>>,
    ) -> std::result::Result<Result<T>, DbError> {
        let done = services.db.transaction(async |conn| {
            let all = roles::lock_administrators(conn).await?;
            if !session::persists(conn, self.visit).await? {
                return Ok(Err(AuthError::NotAuthenticated));
            }
            if !all.contain(self.id()) {
                return Ok(Err(not_an_administrator()));
            }
            let done = work(conn, &all).await?;
            if let Ok((_, Some(event))) = &done {
                crate::store::events::insert(conn, std::slice::from_ref(event)).await?;
            }
            Ok(done)
        });
        Ok(done.await?.map(|(value, event)| {
            if let Some(event) = &event {
                events::log(event);
            }
            value
        }))
    }

    /// Refuses what would remove this administrator, or the last one.
    fn may_remove(self, all: &Administrators, id: Uuid) -> Result<()> {
        if all.has_last(id) {
            Err(AuthError::LastAdmin)
        } else if self.id() == id {
            Err(AuthError::OwnAccount)
        } else {
            Ok(())
        }
    }
}

/// Invites a user, with roles from the start.
pub async fn invite(
    services: &Services,
    username: &Username,
    email: &Email,
    granted: &[Role],
    by: Administrator<'_>,
) -> Result<Listed> {
    let invited = by.change(services, async |conn, _| {
        let user = invitation::create(conn, username, email).await?;
        roles::set(conn, user.id, granted, Some(by.id())).await?;
        let details = (!granted.is_empty()).then(|| json!({"roles": names(granted)}));
        let event = by.event(Kind::Invited, Some(user.id), details);
        Ok(Ok((user.id, event)))
    });
    let id = match invited.await {
        Ok(invited) => invited?,
        Err(error) => {
            return Err(account::why_refused(services, error, username, Some(email)).await?);
        }
    };
    services.mailbox.wake();
    find(services, id).await
}

/// Gives a user exactly these roles.
pub async fn set_roles(
    services: &Services,
    id: Uuid,
    wanted: &[Role],
    by: Administrator<'_>,
) -> Result<Listed> {
    let demotes = !wanted.iter().any(|role| role.name() == ADMIN);
    let set = by.change(services, async |conn, all| {
        if users::lock(conn, id).await?.is_none() {
            return Ok(Err(AuthError::ItemNotFound));
        }
        if demotes && let Err(refused) = by.may_remove(all, id) {
            return Ok(Err(refused));
        }
        roles::set(conn, id, wanted, Some(by.id())).await?;
        let details = json!({"roles": names(wanted)});
        Ok(Ok(((), by.event(Kind::RolesSet, Some(id), Some(details)))))
    });
    set.await??;
    session::forget_user(services, id);
    find(services, id).await
}

fn names(roles: &[Role]) -> Vec<String> {
    roles.iter().map(ToString::to_string).collect()
}

/// Disables a user, which ends their sessions, or enables them again.
pub async fn set_disabled(
    services: &Services,
    id: Uuid,
    disabled: bool,
    by: Administrator<'_>,
) -> Result<()> {
    let set = by.change(services, async |conn, all| {
        if users::lock(conn, id).await?.is_none() {
            return Ok(Err(AuthError::ItemNotFound));
        }
        if disabled && let Err(refused) = by.may_remove(all, id) {
            return Ok(Err(refused));
        }
        users::set_disabled(conn, id, disabled).await?;
        let kind = Kind::disabled(disabled);
        Ok(Ok(((), by.event(kind, Some(id), None))))
    });
    set.await??;
    session::forget_user(services, id);
    Ok(())
}

/// Deletes a user whose name the administrator repeats.
pub async fn delete(
    services: &Services,
    id: Uuid,
    username: &str,
    by: Administrator<'_>,
) -> Result<()> {
    let deleted = by.change(services, async |conn, all| {
        let Some(account) = users::find(conn, id).await? else {
            return Ok(Err(AuthError::ItemNotFound));
        };
        let same = deletion::must_match(username, &account.user.username);
        if let Err(refused) = same.and_then(|()| by.may_remove(all, id)) {
            return Ok(Err(refused));
        }
        deletion::remove(conn, id).await?;
        let details = json!({"user_id": id});
        Ok(Ok(((), by.event(Kind::Deleted, None, Some(details)))))
    });
    deleted.await??;
    deletion::forget(services, id).await
}

/// Mails a user a link to choose another password. False for somebody who gets no such mail: a disabled user, or one
/// without an address.
pub async fn reset_password(services: &Services, id: Uuid, by: Administrator<'_>) -> Result<bool> {
    let asked = by.change(services, async |conn, _| {
        let Some(user) = addresses::lock(conn, id).await? else {
            return Ok(Err(AuthError::ItemNotFound));
        };
        let address = user.email.as_ref().or(user.pending_email.as_ref());
        let Some(address) = address.filter(|_| user.disabled_at.is_none()) else {
            return Ok(Ok((false, None)));
        };
        let locale = user.locale.as_deref();
        let mail = outbox::to_user(MailKind::ResetPassword, id, address, locale);
        mails::insert(conn, &mail).await?;
        let event = by.event(Kind::PasswordResetSent, Some(id), None);
        Ok(Ok((true, event)))
    });
    let asked = asked.await??;
    services.mailbox.wake();
    Ok(asked)
}

/// Ends all sessions of a user. Returns how many there were.
pub async fn end_sessions(services: &Services, id: Uuid, by: Administrator<'_>) -> Result<usize> {
    let ended = by.change(services, async |conn, _| {
        if users::lock(conn, id).await?.is_none() {
            return Ok(Err(AuthError::ItemNotFound));
        }
        let ended = sessions::end_all(conn, id, None).await?;
        Ok(Ok((ended, by.event(Kind::SessionsRevoked, Some(id), None))))
    });
    let ended = ended.await??;
    session::forget(services, &ended);
    Ok(ended.len())
}
