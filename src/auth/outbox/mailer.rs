//! Sends what waits in the outbox. Every instance has a mailer; each claims a mail before it sends it, so that no two
//! send the same one.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;
use url::Url;
use uuid::Uuid;

use super::patience::{insist, wait_after};
use super::resolve::{Fate, Resolved, resolve};
use super::warnings::{self, ask_for_warnings};
use crate::auth::events::{self, Kind};
use crate::auth::metrics::MailResult;
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::domain::pages::{Page, Pages};
use crate::mail::browser::browser;
use crate::mail::delivery::Delivery;
use crate::mail::delivery::outgoing::{Failure, Outgoing};
use crate::mail::templates::{Templates, Values};
use crate::store::db::error::DbError;
use crate::store::outbox::{self, Mail};

/// Mails that an instance sends at a time: enough for hundreds a second, and few enough that a mail server does not
/// take us for a flood.
const AT_ONCE: usize = 8;
/// A claim outlives every attempt to deliver. After a crash, another instance takes over then.
const LEASE: Duration = Duration::from_secs(60);
/// How often an instance looks for mails that are due again, or that others left.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A mail waits this long for others. If it were sent at once, the next request would take longer after one for a known
/// address than after one for an unknown address, and tell which it was.
const SOON: Duration = Duration::from_millis(100);
/// RFC 5321 4.5.4.1 has relays try for days. A link that is a day old helps nobody.
const GIVEN_UP_AFTER: chrono::Duration = chrono::Duration::hours(24);

/// Places for mails under way.
pub struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Places {
    fn free(&self) -> Vec<OwnedSemaphorePermit> {
        let take = || self.0.clone().try_acquire_owned().ok();
        std::iter::from_fn(take).collect()
    }

    /// Waits for the mails under way, and lets no other begin. One that is cut short may arrive twice.
    pub async fn close(&self) {
        for _ in 0..AT_ONCE {
            if let Ok(place) = self.0.acquire().await {
                place.forget();
            }
        }
    }
}

/// What it takes to send mails.
pub struct Mailer {
    pub services: Services,
    pub templates: Templates,
    pub delivery: Delivery,
    pub token_key: [u8; 64],
    pub app_name: String,
    pub app_url: Url,
    pub pages: Pages,
    pub places: Places,
}

impl Mailer {
    /// Runs until its task is dropped. A slow mail holds up no other. Each has a task of its own: it may hold a database
    /// connection, and would keep it while the next claim waits for one.
    pub async fn run(self: Arc<Self>) {
        let mut under_way = JoinSet::new();
        loop {
            let places = self.places.free();
            let claimed = match self.claim(places.len()).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    tracing::debug!(%error, "the mailer is waiting for the database");
                    Vec::new()
                }
            };
            for (mail, place) in claimed.into_iter().zip(places) {
                under_way.spawn_local(self.clone().send(mail, place));
            }
            if under_way.len() == AT_ONCE {
                under_way.join_next().await;
                continue;
            }
            tokio::select! {
                Some(_) = under_way.join_next() => {}
                () = self.services.mailbox.woken() => sleep(SOON).await,
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn claim(&self, free: usize) -> Result<Vec<Mail>, DbError> {
        ask_for_warnings(&self.services).await?;
        if free == 0 {
            return Ok(Vec::new());
        }
        let free = i64::try_from(free).unwrap_or(i64::MAX);
        let db = &self.services.db;
        db.run(async |conn| outbox::claim(conn, free, LEASE).await)
            .await
    }

    async fn send(self: Arc<Self>, mail: Mail, _place: OwnedSemaphorePermit) {
        if let Err(error) = self.try_to_send(&mail).await {
            tracing::warn!(%error, mail = %mail.id, "cannot send a mail now");
        }
    }

    async fn try_to_send(&self, mail: &Mail) -> Result<(), DbError> {
        if !warnings::may_go(&self.services, mail).await {
            return self.remove(mail.id).await;
        }
        let db = &self.services.db;
        let key = &self.token_key;
        let fate = insist(async || {
            db.transaction(async |conn| resolve(conn, mail, key).await)
                .await
        });
        let Fate::Send(resolved) = fate.await? else {
            return Ok(());
        };
        let kind: &str = resolved.kind.into();
        let delivered = match self.write(mail.id, &resolved) {
            Ok(outgoing) => self.delivery.send(&outgoing).await,
            Err(why) => Err(Failure::Settings(why)),
        };
        match delivered {
            Ok(place) => {
                self.note(&resolved, MailResult::Sent);
                self.remove(mail.id).await?;
                tracing::info!(mail = %mail.id, kind, user = %resolved.user_id, place, "mail sent");
            }
            Err(failure) => self.postpone(mail, &resolved, failure).await?,
        }
        Ok(())
    }

    async fn remove(&self, id: Uuid) -> Result<(), DbError> {
        let db = &self.services.db;
        let removed = insist(async || db.run(async |conn| outbox::remove(conn, id).await).await);
        removed.await.map(drop)
    }

    fn write(&self, id: Uuid, mail: &Resolved) -> Result<Outgoing, String> {
        let values = Values {
            app_name: &self.app_name,
            app_url: self.app_url.as_str(),
            username: &mail.username,
            link: &self.link(mail),
            at: mail.asked_at,
            browser: browser(mail.facts.user_agent.as_deref()),
        };
        let locale = mail.locale.as_deref();
        let letter = self.templates.render(mail.kind, locale, &values);
        Ok(Outgoing {
            id,
            to: mail.address.clone(),
            letter: letter.map_err(|error| error.to_string())?,
        })
    }

    /// The token stands in the fragment, which browsers send to nobody (RFC 3986 3.5).
    fn link(&self, mail: &Resolved) -> String {
        let mut link = self.page(mail.page);
        if let Some(token) = &mail.token {
            link.set_fragment(Some(&format!("token={}", token.as_str())));
        }
        link.into()
    }

    fn page(&self, page: Page) -> Url {
        let path = self.pages.path(page);
        self.app_url
            .join(path)
            .unwrap_or_else(|_| self.app_url.clone())
    }

    fn note(&self, mail: &Resolved, result: MailResult) {
        self.services.metrics.mail(mail.kind, result);
    }

    /// Tries again later, or gives up.
    async fn postpone(&self, mail: &Mail, to: &Resolved, failure: Failure) -> Result<(), DbError> {
        let (why, is_final) = match &failure {
            Failure::Later(why) => (why, false),
            Failure::Settings(why) => {
                tracing::error!(
                    why,
                    "no mail leaves: check LATCHKEY_SMTP_URL, LATCHKEY_MAIL_FROM and LATCHKEY_MAIL_TEMPLATES"
                );
                (why, false)
            }
            Failure::Refused(why) => (why, true),
        };
        if is_final || mail.age(LEASE) > GIVEN_UP_AFTER {
            self.note(to, MailResult::GivenUp);
            self.remove(mail.id).await?;
            tracing::warn!(mail = %mail.id, kind = mail.kind, why, "gave up on a mail");
            let client = Client::at_shell("latchkey mailer");
            let mut event = events::made(Kind::MailFailed, Some(to.user_id), &client);
            event.details = Some(json!({"mail": mail.kind}));
            self.services.events.record_made(event).await;
            return Ok(());
        }
        self.note(to, MailResult::Postponed);
        let wait = wait_after(mail.tries);
        tracing::warn!(mail = %mail.id, kind = mail.kind, why, again_in = ?wait, "mail not sent");
        let db = &self.services.db;
        let postponed = async || {
            db.run(async |conn| outbox::postpone(conn, mail, wait, why).await)
                .await
        };
        insist(postponed).await.map(drop)
    }
}
