//! Requests to providers. Whatever a provider does, a request ends in time and takes little memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use openidconnect::{HttpRequest, HttpResponse};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, RequestExt};
use url::Url;

use crate::domain::site::is_this_machine;

/// For all requests that one person waits for: with ours to the database, five seconds.
const PATIENCE: Duration = Duration::from_millis(4500);
/// Metadata, keys and tokens are a few KiB.
const MAX_BODY: u64 = 256 * 1024;

/// Why a provider cannot be asked, in words for the log.
pub type Down = String;

/// Our end of the connections to providers. Cheap to clone.
#[derive(Clone)]
pub struct Http(Agent);

/// When somebody has waited long enough.
#[derive(Clone, Copy)]
pub struct Deadline(Instant);

/// Requests to one provider, until a deadline.
pub struct Fetching {
    pub(super) http: Http,
    pub(super) until: Deadline,
    /// The issuer is at http, which only this machine may be.
    pub(super) plain: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Broken(String);

/// Trusts what this system trusts.
pub fn system_tls() -> TlsConfig {
    let found = rustls_native_certs::load_native_certs().certs;
    let roots: Vec<_> = found
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect();
    TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

impl Http {
    /// Follows no redirects: they could lead to an inner address.
    pub fn from_system() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("latchkey/", env!("CARGO_PKG_VERSION")))
            .tls_config(system_tls());
        Self(config.build().new_agent())
    }
}

impl Deadline {
    pub fn start() -> Self {
        Self(Instant::now() + PATIENCE)
    }

    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Waits no longer than this.
    pub(super) async fn limit<T>(self, work: impl Future<Output = T>) -> Result<T, Down> {
        let done = tokio::time::timeout(self.left(), work).await;
        done.map_err(|_| "no answer in time".to_owned())
    }
}

impl Fetching {
    /// One request. openidconnect calls it.
    pub(super) fn call(&self, request: HttpRequest) -> Result<HttpResponse, Broken> {
        let url = request.uri().to_string();
        let is_allowed = Url::parse(&url).is_ok_and(|url| self.allows(&url));
        if !is_allowed {
            return Err(Broken(format!("{url} is not https")));
        }
        let left = self.until.left();
        if left.is_zero() {
            return Err(Broken(format!("no time left for {url}")));
        }
        let broken = |error: ureq::Error| Broken(format!("{url}: {error}"));
        let request = request.with_agent(&self.http.0).configure();
        let answer = request.timeout_global(Some(left)).build().run();
        let (parts, mut body) = answer.map_err(broken)?.into_parts();
        let status = parts.status;
        if status.is_redirection() || status.is_server_error() {
            return Err(Broken(format!("{url}: status {status}")));
        }
        let body = body.with_config().limit(MAX_BODY).read_to_vec();
        Ok(HttpResponse::from_parts(parts, body.map_err(broken)?))
    }

    /// Plain http is for providers on this machine, in development. A provider elsewhere must not lead us there.
    pub(super) fn allows(&self, url: &Url) -> bool {
        url.scheme() == "https" || self.plain && url.scheme() == "http" && is_this_machine(url)
    }
}
