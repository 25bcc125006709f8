//! What tests need that a machine may lack.

use std::path::{Path, PathBuf};

use crate::driver;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Browser,
    /// And axe-core.
    Axe,
    /// And the packages of `examples/vite-react`.
    React,
    /// And node-oidc-provider.
    Provider,
}

impl Need {
    /// What is missing, and how to get it.
    pub fn lacks(self) -> Option<&'static str> {
        if driver::chromium().is_none() || driver::program("chromedriver").is_none() {
            return Some(
                "Chromium and its chromedriver (apt-get install chromium chromium-driver)",
            );
        }
        match self {
            Self::Axe if !axe().is_file() => {
                Some("axe-core (npm install --prefix target/ci-tools axe-core@4)")
            }
            Self::React if !vite().is_file() => {
                Some("the packages of examples/vite-react (npm install there)")
            }
            Self::Provider if !oidc_provider().is_dir() => {
                Some("oidc-provider (npm install --prefix target/ci-tools oidc-provider@9)")
            }
            Self::Browser | Self::Axe | Self::React | Self::Provider => None,
        }
    }
}

/// `TEST_BROWSER=required`: what is missing fails the run.
pub fn required() -> bool {
    environment("TEST_BROWSER").is_some_and(|word| word == "required")
}

#[expect(clippy::disallowed_methods, reason = "a test has no settings")]
pub fn environment(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

pub fn axe() -> PathBuf {
    environment("TEST_AXE").map_or_else(
        || root().join("target/ci-tools/node_modules/axe-core/axe.min.js"),
        PathBuf::from,
    )
}

pub fn oidc_provider() -> PathBuf {
    environment("TEST_OIDC_PROVIDER").map_or_else(
        || root().join("target/ci-tools/node_modules/oidc-provider"),
        PathBuf::from,
    )
}

pub fn example() -> PathBuf {
    root().join("examples/vite-react")
}

pub fn vite() -> PathBuf {
    example().join("node_modules/vite/bin/vite.js")
}

/// Where pictures of pages go: `TEST_SCREENSHOTS`, else `target/screenshots`.
pub fn screenshots() -> PathBuf {
    environment("TEST_SCREENSHOTS").map_or_else(|| root().join("target/screenshots"), PathBuf::from)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
