//! Everything that the database holds about a user, but no secret.

use chrono::{DateTime, Utc};
use ipnet::IpNet;

use super::error::{AuthError, Result};
use super::events::Kind;
use super::services::Services;
use super::session::live::Visit;
use crate::domain::client::Client;
use crate::store::addresses::{self, Addressee};
use crate::store::events::{self, Event, Wanted};
use crate::store::identities::{self, Identity};
use crate::store::outbox::{self, Mail};
use crate::store::passkeys::{self, Passkey};
use crate::store::second_factor::held;
pub use crate::store::second_factor::held::Held;
use crate::store::sessions::{self, ListedSession};
use crate::store::tokens::{self, Token};
use crate::store::users::{self, User};
use crate::store::{challenges, clock, known_networks, roles};

/// One field for each table that holds rows of a user.
pub struct Export {
    pub exported_at: DateTime<Utc>,
    pub user: User,
    pub roles: Vec<(String, DateTime<Utc>)>,
    pub addressee: Addressee,
    pub has_password: bool,
    pub factors: Held,
    pub sessions: Vec<ListedSession>,
    pub events: Vec<Event>,
    pub networks: Vec<(IpNet, DateTime<Utc>)>,
    pub links: Vec<Token>,
    pub passkeys: Vec<Passkey>,
    pub identities: Vec<Identity>,
    /// What their devices have been asked to sign, and until when it counts.
    pub challenges: Vec<(String, DateTime<Utc>)>,
    pub mails: Vec<Mail>,
}

/// Collects everything. The export is an event itself, and contains that event.
pub async fn export(services: &Services, visit: &Visit, client: &Client) -> Result<Export> {
    let id = visit.user.id;
    services
        .events
        .record(Kind::DataExported, Some(id), client)
        .await;
    let collected = services.db.transaction(async |conn| {
        let account = users::find(conn, id).await?;
        let addressee = addresses::of_user(conn, id).await?;
        let (Some(account), Some(addressee)) = (account, addressee) else {
            return Ok(None);
        };
        let sessions = sessions::list(conn, id).await?;
        // A link to an address that the user does not have yet would tell that nobody else has it.
        let mut links = tokens::of_user(conn, id).await?;
        links.retain(|link| Some(&link.email) != addressee.pending_email.as_ref());
        Ok(Some(Export {
            exported_at: clock::current_time(conn).await?,
            roles: roles::of_user(conn, id).await?,
            has_password: account.password_hash.is_some(),
            user: account.user,
            addressee,
            factors: held::of_user(conn, id).await?,
            links,
            passkeys: passkeys::of_user(conn, id).await?,
            identities: identities::of_user(conn, id).await?,
            challenges: challenges::of_user(conn, id).await?,
            sessions: sessions.into_iter().map(|(_, listed)| listed).collect(),
            events: events::page(conn, &Wanted::of_user(id), None, i64::MAX).await?,
            networks: known_networks::of_user(conn, id).await?,
            mails: outbox::of_user(conn, id).await?,
        }))
    });
    collected.await?.ok_or(AuthError::NotAuthenticated)
}
