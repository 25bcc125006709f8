//! Wires what HTTP needs beside the rules.

use std::sync::Arc;

use actix_web::web::Bytes;

use crate::auth::services::Services;
use crate::config::Settings;
use crate::http::api::operations::Documents;
use crate::http::edge::cross_origin::CrossOrigin;
use crate::http::edge::proxies::TrustedProxies;
use crate::http::edge::templates::Templates;
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

pub fn templates(documents: &Documents) -> Templates {
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
    let origin = settings.server.public_url.origin().ascii_serialization();
    Site {
        public_url: settings.server.public_url.clone(),
        app_name: settings.app_name(),
        pages: settings.app.pages.clone(),
        cookies: Cookies::with_old_keys(
            secret_key,
            settings.secret_key.old_keys(),
            settings.server.is_https(),
        ),
        cross_origin: CrossOrigin::new(origin, settings.trust.trusted_origins.clone()),
        trusted_proxies: TrustedProxies::new(settings.trust.trusted_proxies.clone()),
        health,
        repeats: services.repeats.clone(),
        kept_mails: None,
        own_routes: None,
        watch: None,
    }
}
