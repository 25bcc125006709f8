//! Wires what HTTP needs beside the rules.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix_web::web::Bytes;
use prometheus_client::registry::Registry;
use strum::VariantNames;

use crate::auth::oidc::failure::Failure;
use crate::auth::oidc::fetch::Http;
use crate::auth::oidc::outcome::Outcome;
use crate::auth::oidc::provider::Provider;
use crate::auth::oidc::providers::Providers;
use crate::auth::passkeys::relying_party::RelyingParty;
use crate::auth::services::Services;
use crate::config::{AppSettings, Settings, Switch};
use crate::http::api::operations::Documents;
use crate::http::edge::cross_origin::CrossOrigin;
use crate::http::edge::hints::Hints;
use crate::http::edge::proxies::TrustedProxies;
use crate::http::edge::templates::Templates;
use crate::http::edge::watch::Watch;
use crate::http::pages::demo::Demo;
use crate::http::pages::front::Front;
use crate::http::pages::spa::Spa;
use crate::http::session::cookies::Cookies;
use crate::http::site::{Health, Site};
use crate::http::{self, mailbox, openapi};

pub fn documents() -> anyhow::Result<Documents> {
    let document = http::document();
    Ok(Documents {
        openapi: Bytes::from(document.to_json()?),
        operations: openapi::operations(document),
    })
}

/// `None`: nothing is watched.
pub fn watch(
    settings: &Settings,
    documents: &Documents,
    counted: Option<&mut Registry>,
) -> Option<Watch> {
    let log = settings.access_log.access_log == Switch::On;
    Watch::new(templates(documents), counted, log)
}

fn templates(documents: &Documents) -> Templates {
    let mut operations = documents.operations.clone();
    operations.push((mailbox::PATH.to_owned(), vec!["GET"]));
    Templates::new(&operations)
}

/// What HTTP adds to the rules.
pub fn site(
    settings: &Settings,
    services: &Services,
    secret_key: &str,
    health: Arc<Health>,
) -> Site {
    let public_url = settings.server.public_url();
    let origin = public_url.origin().ascii_serialization();
    Site {
        public_url,
        app_url: settings.app_url(),
        app_name: settings.app_name(),
        pages: settings.app.pages.clone(),
        cookies: Cookies::with_old_keys(
            secret_key,
            settings.secret_key.old_keys(),
            settings.server.is_https(),
        ),
        cross_origin: CrossOrigin {
            public: origin,
            trusted: settings.trust.trusted_origins.clone(),
        },
        hints: Hints::default(),
        trusted_proxies: TrustedProxies::new(settings.trust.trusted_proxies.clone()),
        health,
        repeats: services.repeats.clone(),
        kept_mails: None,
        front: None,
        own_routes: None,
        watch: None,
    }
}

/// Adds what people can log in with beside a password.
pub fn offer(settings: &Settings, services: &mut Services) -> anyhow::Result<()> {
    services.passkeys = passkeys(settings)?;
    services.providers = Arc::new(providers(settings)?);
    for provider in services.providers.iter() {
        for result in Outcome::VARIANTS.iter().chain(Failure::VARIANTS) {
            services.metrics.expect_oidc(&provider.entry.name, result);
        }
    }
    Ok(())
}

/// What the server is to devices that hold passkeys.
fn passkeys(settings: &Settings) -> anyhow::Result<Option<Arc<RelyingParty>>> {
    let Ok(id) = settings.passkeys() else {
        return Ok(None);
    };
    let party = RelyingParty::new(id, &settings.app_name(), &settings.origins())?;
    Ok(Some(Arc::new(party)))
}

/// Whose accounts people can log in with. Nothing is asked of a provider yet: one that is down does not stop the start.
pub fn providers(settings: &Settings) -> anyhow::Result<Providers> {
    let entries = settings.app.providers.read()?;
    if entries.is_empty() {
        return Ok(Providers::default());
    }
    let (public_url, http) = (settings.server.public_url(), Http::from_system());
    let provider = |entry| Arc::new(Provider::new(entry, &public_url, http.clone()));
    Ok(Providers::new(entries.into_iter().map(provider).collect()))
}

/// What people see. Mails are in the data directory.
pub fn front(settings: &Settings, mail_folder: &Path) -> Option<Front> {
    let AppSettings { front, pages, .. } = &settings.app;
    if let Some(directory) = &front.spa_dir {
        let files = [settings.secret_key.file(), settings.database.file()];
        let providers = settings.app.providers.files();
        let files = files.into_iter().chain([mail_folder.parent()]).flatten();
        let private = files.chain(providers.iter().map(PathBuf::as_path));
        let private = private.filter_map(|path| path.canonicalize().ok());
        return Some(Front::Spa(Spa::new(
            directory.clone(),
            private.collect(),
            front.spa_csp.0.clone(),
        )));
    }
    let shows_demo = front.shows_demo(&settings.server.public_url());
    shows_demo.then(|| Front::Demo(Demo::new(pages)))
}
