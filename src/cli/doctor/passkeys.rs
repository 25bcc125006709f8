//! Whether a page can use passkeys, and how many nobody can use any more.

use tokio::runtime::Runtime;
use url::Url;

use super::report::Report;
use crate::auth::passkeys;
use crate::auth::services::Services;
use crate::config::{NoPasskeys, Settings};
use crate::domain::rp_id::RpId;

/// Compares the domain of passkeys with the page's.
pub fn page_can_use_them(
    report: &mut Report,
    settings: &Settings,
    page: &Url,
) -> anyhow::Result<bool> {
    let page_origin = page.origin().ascii_serialization();
    match settings.passkeys() {
        Ok(domain) if domain.fits(page) => report.good(&format!(
            "Passkeys belong to {}, and pages of {page_origin} may use them.",
            domain.as_str()
        )),
        Ok(domain) => report.note(&format!(
            "Passkeys belong to {}, and {page_origin} is neither at this domain nor below it: its pages cannot use them. \
             LATCHKEY_PASSKEY_RP_ID can be a domain that is above all your origins.",
            domain.as_str()
        )),
        Err(NoPasskeys::SwitchedOff) => {
            report.note("LATCHKEY_PASSKEYS is off: nobody can log in with a passkey.")
        }
        Err(NoPasskeys::Impossible(why)) => report.note(&format!("Passkeys are off: {why}.")),
        Err(NoPasskeys::Refused(why)) => report.bad(
            &format!("{why}."),
            "correct that setting; until then, Latchkey does not start",
        ),
    }
}

/// Counts the passkeys that the present domain leaves behind.
pub fn some_are_lost(
    report: &mut Report,
    runtime: &Runtime,
    services: &Services,
    domain: &RpId,
) -> anyhow::Result<bool> {
    let count = runtime.block_on(passkeys::count_elsewhere(services, domain))?;
    match count {
        0 => Ok(true),
        count => {
            let (are, them) = match count {
                1 => ("passkey belongs", "it"),
                _ => ("passkeys belong", "them"),
            };
            report.note(&format!(
                "{count} {are} to another domain than {}: nobody can use {them} any more.",
                domain.as_str()
            ))
        }
    }
}
