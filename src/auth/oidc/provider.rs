//! A provider: what the operator says of it, and what it says of itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use openidconnect::core::{CoreClient, CoreClientAuthMethod};
use openidconnect::{
    AuthType, ClientId, ClientSecret, EndpointMaybeSet, EndpointNotSet, EndpointSet, RedirectUrl,
};
use tokio::sync::{Mutex as Turn, Semaphore};
use url::Url;

use super::discovery::{self, Metadata};
use super::fetch::{Deadline, Down, Fetching, Http};

/// For how long we rely on what a provider says of itself.
const FRESH_FOR: Duration = Duration::from_secs(3600);
/// A provider that is down is asked again after this long, and not by everybody who waits.
const REST: Duration = Duration::from_secs(5);
/// Its keys may change at any time. Whoever sends tokens under invented keys must not have us ask for each.
const KEYS_EVERY: Duration = Duration::from_secs(60);
/// Requests to one provider at a time. Each holds a thread.
const AT_A_TIME: usize = 16;

/// What the operator says of a provider.
#[derive(Clone)]
pub struct Entry {
    /// In paths and answers.
    pub name: String,
    /// For people.
    pub label: String,
    pub issuer: String,
    pub client_id: String,
    pub client_secret: String,
    /// Besides `openid`.
    pub scopes: Vec<String>,
    /// Whether people may get an account by it.
    pub registers: bool,
    /// Whether its login counts as two factors.
    pub counts_as_two: bool,
}

pub struct Provider {
    pub entry: Entry,
    /// Where it sends people back to.
    pub redirect_uri: Url,
    http: Http,
    known: Mutex<Known>,
    /// One asks, and the others wait for the answer.
    turn: Turn<()>,
    slots: Arc<Semaphore>,
}

/// Our end of it, as far as the library has it.
pub type Ready = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What it said of itself, and when.
#[derive(Clone, Default)]
struct Known {
    metadata: Option<(Arc<Metadata>, Instant)>,
    /// When it was last asked for its keys alone.
    keys_asked: Option<Instant>,
    failed: Option<(Instant, Down)>,
}

impl Provider {
    pub fn new(entry: Entry, public_url: &Url, http: Http) -> Self {
        let mut redirect_uri = public_url.clone();
        redirect_uri.set_path(&format!("/api/oidc/{}/callback", entry.name));
        Self {
            entry,
            redirect_uri,
            http,
            known: Mutex::default(),
            turn: Turn::default(),
            slots: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }

    /// With what it has said of itself.
    pub(super) fn client(&self, metadata: &Metadata) -> Ready {
        let entry = &self.entry;
        let client = CoreClient::from_provider_metadata(
            metadata.clone(),
            ClientId::new(entry.client_id.clone()),
            Some(ClientSecret::new(entry.client_secret.clone())),
        );
        let ways = metadata.token_endpoint_auth_methods_supported();
        let only_post = ways.is_some_and(|ways| {
            ways.contains(&CoreClientAuthMethod::ClientSecretPost)
                && !ways.contains(&CoreClientAuthMethod::ClientSecretBasic)
        });
        let client = client.set_redirect_uri(RedirectUrl::from_url(self.redirect_uri.clone()));
        match only_post {
            true => client.set_auth_type(AuthType::RequestBody),
            false => client,
        }
    }

    /// Asks it what it says of itself, for the doctor.
    pub async fn visit(&self) -> Result<(), Down> {
        self.metadata(Deadline::start()).await.map(drop)
    }

    /// What it says of itself, as of the last hour.
    pub(super) async fn metadata(&self, until: Deadline) -> Result<Arc<Metadata>, Down> {
        if let Some(known) = self.recalled() {
            return known;
        }
        let _turn = until.limit(self.turn.lock()).await?;
        if let Some(known) = self.recalled() {
            return known;
        }
        let issuer = self.entry.issuer.clone();
        let asked = self.ask(until, move |http| discovery::discover(&issuer, &http));
        let asked = asked.await.map(Arc::new);
        let now = Instant::now();
        self.with_known(|known| match &asked {
            Ok(metadata) => {
                *known = Known {
                    metadata: Some((metadata.clone(), now)),
                    ..Known::default()
                };
            }
            Err(why) => known.failed = Some((now, why.clone())),
        });
        asked
    }

    /// What we know well enough, or why it failed a moment ago.
    fn recalled(&self) -> Option<Result<Arc<Metadata>, Down>> {
        let known = self.with_known(|known| known.clone());
        let (metadata, failed) = (known.metadata, known.failed);
        let metadata = metadata.filter(|(_, asked)| asked.elapsed() < FRESH_FOR);
        let failed = failed.filter(|(at, _)| at.elapsed() < REST);
        match (metadata, failed) {
            (Some((metadata, _)), _) => Some(Ok(metadata)),
            (None, Some((_, why))) => Some(Err(why)),
            (None, None) => None,
        }
    }

    /// The same with its present keys, after it has used one that `used` does not have. `None`: we have just asked.
    pub(super) async fn with_new_keys(
        &self,
        used: &Arc<Metadata>,
        until: Deadline,
    ) -> Result<Option<Arc<Metadata>>, Down> {
        let _turn = until.limit(self.turn.lock()).await?;
        let known = self.with_known(|known| known.clone());
        let Some((present, asked)) = known.metadata else {
            return Ok(None);
        };
        // Somebody else has asked meanwhile.
        if !Arc::ptr_eq(&present, used) {
            return Ok(Some(present));
        }
        let is_resting = |at: Instant| at.elapsed() < REST;
        if let Some((_, why)) = known.failed.filter(|(at, _)| is_resting(*at)) {
            return Err(why);
        }
        let asked_lately = |at: Instant| at.elapsed() < KEYS_EVERY;
        if known.keys_asked.is_some_and(asked_lately) {
            return Ok(None);
        }
        let renewed = self.ask(until, move |http| discovery::with_new_keys(&present, &http));
        let renewed = renewed.await.map(Arc::new);
        let now = Instant::now();
        self.with_known(|known| match &renewed {
            Ok(metadata) => {
                known.metadata = Some((metadata.clone(), asked));
                known.keys_asked = Some(now);
            }
            Err(why) => known.failed = Some((now, why.clone())),
        });
        renewed.map(Some)
    }

    fn with_known<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        work(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs requests to the provider on a thread where they may block.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        until: Deadline,
        work: impl FnOnce(Fetching) -> Result<T, Down> + Send + 'static,
    ) -> Result<T, Down> {
        let slot = until.limit(self.slots.clone().acquire_owned()).await?;
        let slot = slot.map_err(|closed| closed.to_string())?;
        let fetching = Fetching {
            http: self.http.clone(),
            until,
            plain: self.entry.issuer.starts_with("http:"),
        };
        let done = tokio::task::spawn_blocking(move || {
            // Nobody may wait any more; the thread is taken until it is done.
            let _slot = slot;
            work(fetching)
        });
        until
            .limit(done)
            .await?
            .map_err(|error| error.to_string())?
    }
}
