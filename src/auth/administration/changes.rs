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
use crate::store::db::{Connection, QueryError};
use crate::store::events::{NewEvent, insert};
use crate::store::outbox as mails;
use crate::store::roles::{self, Administrators};
use crate::store::{addresses, sessions, users};

/// Who changes something, from where.
pub struct Administrator {
    pub visit: Visit,
    pub client: Client,
}

/// Why nothing changes.
enum Stop {
    Refused(AuthError),
    Failed(QueryError),
}

impl From<AuthError> for Stop {
    fn from(error: AuthError) -> Self {
        Self::Refused(error)
    }
}

impl From<QueryError> for Stop {
    fn from(error: QueryError) -> Self {
        Self::Failed(error)
    }
}

/// What came of a change, and what is recorded of it.
type Done<T> = std::result::Result<(T, Option<NewEvent>), Stop>;

impl Administrator {
    fn id(&self) -> Uuid {
        self.visit.user.id
    }

    fn event(&self, kind: Kind, user_id: Option<Uuid>, details: Option<Value>) -> Option<NewEvent> {
        Some(NewEvent {
            actor_id: Some(self.id()),
            details,
            ..events::made(kind, user_id, &self.client)
        })
    }

    /// Changes something while nobody else changes who administers. `work` refuses before it writes.
    async fn change<T>(
        &self,
        services: &Services,
        work: impl AsyncFnOnce(&mut Connection, &Administrators) -> Done<T>,
    ) -> std::result::Result<Result<T>, DbError> {
        let done = services.db.transaction(async |conn| {
            let done = self.change_in(conn, work).await;
            match done {
                Ok(done) => Ok(Ok(done)),
                Err(Stop::Refused(why)) => Ok(Err(why)),
                Err(Stop::Failed(error)) => Err(error),
            }
        });
        Ok(done.await?.map(|(value, event)| {
            if let Some(event) = &event {
                events::log(event);
            }
            value
        }))
    }

    async fn change_in<T>(
        &self,
        conn: &mut Connection,
        work: impl AsyncFnOnce(&mut Connection, &Administrators) -> Done<T>,
    ) -> Done<T> {
        let all = roles::lock_administrators(conn).await?;
        if !session::persists(conn, &self.visit).await? {
            return Err(AuthError::NotAuthenticated.into());
        }
        if !all.contain(self.id()) {
            return Err(not_an_administrator().into());
        }
        let (value, event) = work(conn, &all).await?;
        if let Some(event) = &event {
            insert(conn, std::slice::from_ref(event)).await?;
        }
        Ok((value, event))
    }

    /// Refuses what would remove this administrator, or the last one.
    fn may_remove(&self, all: &Administrators, id: Uuid) -> Result<()> {
        if all.has_last(id) {
            Err(AuthError::LastAdmin)
        } else if self.id() == id {
            Err(AuthError::OwnAccount)
        } else {
            Ok(())
        }
    }
}

async fn lock(conn: &mut Connection, id: Uuid) -> std::result::Result<(), Stop> {
    let locked = users::lock(conn, id).await?;
    locked.map(drop).ok_or(AuthError::ItemNotFound.into())
}

/// Invites a user, with roles from the start.
pub async fn invite(
    services: &Services,
    username: &Username,
    email: &Email,
    granted: &[Role],
    by: &Administrator,
) -> Result<Listed> {
    let invited = by.change(services, async |conn, _| {
        let user = invitation::create(conn, username, email).await?;
        roles::set(conn, user.id, granted, Some(by.id())).await?;
        let details = (!granted.is_empty()).then(|| json!({"roles": names(granted)}));
        let event = by.event(Kind::Invited, Some(user.id), details);
        Ok((user.id, event))
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
    by: &Administrator,
) -> Result<Listed> {
    let demotes = !wanted.iter().any(|role| role.name() == ADMIN);
    let set = by.change(services, async |conn, all| {
        lock(conn, id).await?;
        if demotes {
            by.may_remove(all, id)?;
        }
        roles::set(conn, id, wanted, Some(by.id())).await?;
        let details = json!({"roles": names(wanted)});
        Ok(((), by.event(Kind::RolesSet, Some(id), Some(details))))
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
    by: &Administrator,
) -> Result<()> {
    let set = by.change(services, async |conn, all| {
        lock(conn, id).await?;
        if disabled {
            by.may_remove(all, id)?;
        }
        users::set_disabled(conn, id, disabled).await?;
        let kind = Kind::disabled(disabled);
        Ok(((), by.event(kind, Some(id), None)))
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
    by: &Administrator,
) -> Result<()> {
    let deleted = by.change(services, async |conn, all| {
        let account = users::find(conn, id).await?;
        let account = account.ok_or(AuthError::ItemNotFound)?;
        deletion::must_match(username, &account.user.username)?;
        by.may_remove(all, id)?;
        deletion::remove(conn, id).await?;
        let details = json!({"user_id": id});
        Ok(((), by.event(Kind::Deleted, None, Some(details))))
    });
    deleted.await??;
    deletion::forget(services, id).await
}

/// Mails a user a link to choose another password. False for somebody who gets no such mail: a disabled user, or one
/// without an address.
pub async fn reset_password(services: &Services, id: Uuid, by: &Administrator) -> Result<bool> {
    let asked = by.change(services, async |conn, _| {
        let user = addresses::lock(conn, id).await?;
        let user = user.ok_or(AuthError::ItemNotFound)?;
        let address = user.email.as_ref().or(user.pending_email.as_ref());
        let Some(address) = address.filter(|_| user.disabled_at.is_none()) else {
            return Ok((false, None));
        };
        let locale = user.locale.as_deref();
        let mail = outbox::to_user(MailKind::ResetPassword, id, address, locale);
        mails::insert(conn, &mail).await?;
        let event = by.event(Kind::PasswordResetSent, Some(id), None);
        Ok((true, event))
    });
    let asked = asked.await??;
    services.mailbox.wake();
    Ok(asked)
}

/// Ends all sessions of a user. Returns how many there were.
pub async fn end_sessions(services: &Services, id: Uuid, by: &Administrator) -> Result<usize> {
    let ended = by.change(services, async |conn, _| {
        lock(conn, id).await?;
        let ended = sessions::end_all(conn, id, None).await?;
        Ok((ended, by.event(Kind::SessionsRevoked, Some(id), None)))
    });
    let ended = ended.await??;
    session::forget(services, &ended);
    Ok(ended.len())
}
