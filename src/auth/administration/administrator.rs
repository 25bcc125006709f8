//! Who administers. One always stays: nobody can remove the last.
//!
//! A change is made and recorded in one transaction, in which its administrator is still one and still logged in. That
//! they were when the request began is not enough: its body may take a while to arrive.

use serde_json::Value;
use uuid::Uuid;

use super::not_an_administrator;
use crate::auth::error::{AuthError, Result};
use crate::auth::events::{self, Kind};
use crate::auth::recent;
use crate::auth::services::Services;
use crate::auth::session::live::Visit;
use crate::domain::client::Client;
use crate::store::db::error::DbError;
use crate::store::db::{Connection, QueryError};
use crate::store::events::{NewEvent, insert};
use crate::store::roles::{self, Administrators};

/// Who changes something, from where.
pub struct Administrator {
    pub visit: Visit,
    pub client: Client,
}

/// Why nothing changes.
pub enum Stop {
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
pub type Done<T> = std::result::Result<(T, Option<NewEvent>), Stop>;

impl Administrator {
    pub fn id(&self) -> Uuid {
        self.visit.user.id
    }

    pub fn event(
        &self,
        kind: Kind,
        user_id: Option<Uuid>,
        details: Option<Value>,
    ) -> Option<NewEvent> {
        Some(NewEvent {
            actor_id: Some(self.id()),
            details,
            ..events::made(kind, user_id, &self.client)
        })
    }

    /// Changes something while nobody else changes who administers. `work` refuses before it writes.
    pub async fn change<T>(
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
        if !recent::persists(conn, &self.visit).await? {
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
    pub fn may_remove(&self, all: &Administrators, id: Uuid) -> Result<()> {
        if all.has_last(id) {
            Err(AuthError::LastAdmin)
        } else if self.id() == id {
            Err(AuthError::OwnAccount)
        } else {
            Ok(())
        }
    }
}
