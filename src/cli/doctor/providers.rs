//! Whether people could log in with each provider.

use tokio::runtime::Runtime;

use super::report::Report;
use crate::app::site;
use crate::config::Settings;

pub fn each_answers(
    report: &mut Report,
    runtime: &Runtime,
    settings: &Settings,
) -> anyhow::Result<bool> {
    let providers = match site::providers(settings) {
        Ok(providers) => providers,
        Err(error) => {
            return report.bad(
                &format!("{error:#}."),
                "correct that file; until then, Latchkey does not start",
            );
        }
    };
    let mut all_well = true;
    for provider in providers.iter() {
        let entry = &provider.entry;
        all_well &= match runtime.block_on(provider.visit()) {
            Ok(()) => report.good(&format!(
                "{} ({}) says where people log in. It must know {} as a redirect URI of {}.",
                entry.label, entry.issuer, provider.redirect_uri, entry.client_id
            ))?,
            Err(why) => report.bad(
                &format!("Nobody can log in with {} ({}): {why}.", entry.label, entry.issuer),
                "compare the issuer with the one in its /.well-known/openid-configuration, and let this machine reach it",
            )?,
        };
    }
    Ok(all_well)
}
