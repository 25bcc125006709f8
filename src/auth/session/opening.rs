//! Opening a session for somebody who has proven enough.

use std::time::Duration;

use uuid::Uuid;

use super::{Issued, Started, forget};
use crate::auth::error::Result;
use crate::auth::events::{self, Kind};
use crate::auth::outbox;
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::domain::locale::Locale;
use crate::domain::proof::Proof;
use crate::domain::secret::SessionKey;
use crate::store::db::{Connection, QueryResult};
use crate::store::events::NewEvent;
use crate::store::login::{self, NewSession};
use crate::store::sessions;
use crate::store::users::Account;

/// Sessions per user; beyond that the oldest ends. Nobody has so many browsers, and the list stays readable.
const MAX_PER_USER: i64 = 50;

/// A session that is about to start.
pub struct Opening<'a> {
    account: &'a Account,
    client: &'a Client,
    methods: Vec<&'static str>,
    factors: i16,
    is_enough: bool,
    remembered: bool,
    lifetime: Duration,
    key: SessionKey,
    event: NewEvent,
}

impl<'a> Opening<'a> {
    pub fn new(
        services: &Services,
        account: &'a Account,
        proof: &Proof,
        remembered: bool,
        client: &'a Client,
    ) -> Result<Self> {
        Ok(Self {
            account,
            client,
            methods: proof.names(),
            factors: proof.factors(),
            is_enough: proof.is_enough(),
            remembered,
            lifetime: services.policy.lifetimes.lifetime(remembered),
            key: SessionKey::generate()?,
            event: events::made(Kind::LoggedIn, Some(account.user.id), client),
        })
    }

    /// Opens the session. `None` if the user was disabled, got another password, or turned the second
    /// factor on, since the account was read.
    pub async fn open(self, services: &Services) -> Result<Option<Started>> {
        let row = services.db.run(async |conn| self.record(conn).await);
        match row.await? {
            Some(row) => self.finish(services, row).await.map(Some),
            None => Ok(None),
        }
    }

    /// The statement that opens it, for a transaction in which more has to be right. [`Self::finish`] follows.
    pub async fn record(&self, conn: &mut Connection) -> QueryResult<Option<login::Started>> {
        let new = NewSession {
            user_id: self.account.user.id,
            password_epoch: self.account.password_epoch,
            key_hash: &self.key.hash(),
            methods: &self.methods,
            factors: self.factors,
            is_enough: self.is_enough,
            remembered: self.remembered,
            network: self.client.neighbourhood(),
            locale: self.client.locale.as_ref().map(Locale::as_str),
            lifetime: self.lifetime,
            event: &self.event,
        };
        login::start(conn, new).await
    }

    /// What follows once it is open.
    pub async fn finish(self, services: &Services, row: login::Started) -> Result<Started> {
        let (account, client) = (self.account, self.client);
        let user_id = account.user.id;
        services.sessions.forget_user(&user_id);
        events::log(&self.event);
        if row.sessions_before >= MAX_PER_USER {
            end_oldest(services, user_id, client).await;
        }
        let epoch = account.password_epoch;
        let now = row.session.created_at;
        let knows = client.devices.known(user_id, epoch, now);
        if services.policy.sign_in_notice && account.user.last_login_at.is_some() && knows.is_none()
        {
            outbox::tell_of_sign_in(services, user_id, client).await;
        }
        let devices = client.devices.clone().with(user_id, epoch, now)?;
        Ok(Started {
            issued: Issued {
                key: self.key,
                keep_for: self
                    .remembered
                    .then_some(services.policy.lifetimes.remember),
                devices: Some(devices),
            },
            session: row.session,
            user: row.user,
        })
    }
}

/// Ends the oldest sessions of a user who has too many. If that fails, the next login does it.
async fn end_oldest(services: &Services, user_id: Uuid, client: &Client) {
    let ended = services
        .db
        .run(async |conn| sessions::end_oldest(conn, user_id, MAX_PER_USER).await);
    match ended.await {
        Ok(ended) => {
            forget(services, &ended);
            for _ in ended {
                let kind = Kind::SessionRevoked;
                services.events.record(kind, Some(user_id), client).await;
            }
        }
        Err(error) => tracing::warn!(%error, "cannot end the oldest session of a user"),
    }
}
