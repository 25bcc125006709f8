//! What HTTP adds to the rules: cookies, origins, the site's address. One value for all workers.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use actix_web::HttpRequest;
use actix_web::web::Data;
use url::Url;

use super::edge::cross_origin::CrossOrigin;
use super::edge::proxies::TrustedProxies;
use super::session::cookies::Cookies;
use crate::auth::events::repeats::Repeats;
use crate::domain::pages::Pages;

pub struct Site {
    pub public_url: Url,
    pub pages: Pages,
    pub cookies: Cookies,
    pub cross_origin: CrossOrigin,
    pub trusted_proxies: TrustedProxies,
    pub health: Arc<Health>,
    pub repeats: Arc<Repeats>,
}

/// Set when the process is about to end, so that a balancer sends nothing more.
#[derive(Default)]
pub struct Health {
    pub draining: AtomicBool,
}

/// What every worker's application was given.
#[expect(
    clippy::expect_used,
    reason = "an application put together without it cannot serve anything"
)]
pub fn wired<T: 'static>(request: &HttpRequest) -> &Data<T> {
    let found = request.app_data::<Data<T>>();
    found.expect("http::app hands it to each worker")
}
