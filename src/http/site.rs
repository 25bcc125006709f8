//! What HTTP adds to the rules: cookies, origins and the public URL. All workers share one value.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use actix_web::HttpRequest;
use actix_web::web::{Data, ServiceConfig};
use url::Url;

use super::edge::cross_origin::CrossOrigin;
use super::edge::hints::Hints;
use super::edge::proxies::TrustedProxies;
use super::edge::watch::Watch;
use super::pages::front::Front;
use super::session::cookies::Cookies;
use crate::auth::events::repeats::Repeats;
use crate::domain::pages::{Page, Pages};

pub struct Site {
    pub public_url: Url,
    /// Where the pages of the app are.
    pub app_url: Url,
    pub app_name: String,
    pub pages: Pages,
    pub cookies: Cookies,
    pub cross_origin: CrossOrigin,
    pub hints: Hints,
    pub trusted_proxies: TrustedProxies,
    pub health: Arc<Health>,
    pub repeats: Arc<Repeats>,
    /// The mails for the mailbox page. `None` on a server that sends them, or that other machines use.
    pub kept_mails: Option<PathBuf>,
    /// What people see at paths that no route has.
    pub front: Option<Front>,
    pub own_routes: Option<OwnRoutes>,
    /// `None`: nobody counts requests or writes a line about each.
    pub watch: Option<Watch>,
}

impl Site {
    /// A page of the app.
    pub fn page(&self, page: Page) -> Url {
        self.place(self.pages.path(page))
    }

    /// A path of the app, which `safe_next` let through.
    pub fn place(&self, path: &str) -> Url {
        let place = self.app_url.join(path);
        place.unwrap_or_else(|_| self.app_url.clone())
    }
}

/// Adds the services of a program that embeds Latchkey.
pub type OwnRoutes = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

/// Set when the process is about to stop: a balancer then sends no more requests, and each answer is the last of its
/// connection.
#[derive(Default)]
pub struct Health {
    pub draining: AtomicBool,
}

/// Shared data that `http::app` gives to every worker.
#[expect(
    clippy::expect_used,
    reason = "an app built without it cannot serve anything"
)]
pub fn wired<T: 'static>(request: &HttpRequest) -> &Data<T> {
    let found = request.app_data::<Data<T>>();
    found.expect("http::app gives it to each worker")
}
