//! All providers of a server.

use std::sync::Arc;

use super::provider::Provider;

/// In the order of the settings.
#[derive(Default)]
pub struct Providers {
    all: Vec<Arc<Provider>>,
    issuers: Vec<String>,
}

impl Providers {
    pub fn new(all: Vec<Arc<Provider>>) -> Self {
        let issuers = all.iter().map(|one| one.entry.issuer.clone()).collect();
        Self { all, issuers }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.all.iter()
    }

    pub fn named(&self, name: &str) -> Option<&Arc<Provider>> {
        self.all.iter().find(|one| one.entry.name == name)
    }

    pub fn of_issuer(&self, issuer: &str) -> Option<&Arc<Provider>> {
        self.all.iter().find(|one| one.entry.issuer == issuer)
    }

    pub fn issuers(&self) -> &[String] {
        &self.issuers
    }
}
