//! Logging in with an account at a provider: OpenID Connect Core 1.0, the code flow with PKCE.
//!
//! A person leaves for the provider ([`flow`]) and comes back with a code ([`callback`]), for which the provider tells us
//! who they are there (`tokens`). Who that is here is decided by issuer and subject alone: an address proves nothing. No
//! token of a provider is kept.

pub mod callback;
mod confirmation;
mod discovery;
pub mod failure;
pub mod fetch;
pub mod flow;
pub mod identities;
mod login;
pub mod newcomer;
pub mod outcome;
pub mod provider;
pub mod providers;
pub mod stranger;
mod tokens;
