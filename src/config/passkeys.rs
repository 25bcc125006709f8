//! Settings of passkeys, and which domain they belong to.

use clap::Args;
use url::Url;

use super::values::{Switch, Unrepeated};
use crate::domain::rp_id::RpId;
use crate::domain::site::is_this_machine;

#[derive(Args, Clone)]
#[command(next_help_heading = "Your app")]
pub struct PasskeySettings {
    /// Whether people can log in with passkeys.
    #[arg(
        long,
        env = "LATCHKEY_PASSKEYS",
        default_value = "on",
        value_name = "on|off"
    )]
    pub passkeys: Switch,

    /// Domain that passkeys belong to: that of all your origins, or one above them. The default is the host of your app's
    /// URL. Those who have passkeys cannot use them any more after it changes.
    #[arg(long, env = "LATCHKEY_PASSKEY_RP_ID", value_name = "DOMAIN", value_parser = Unrepeated(RpId::parse))]
    pub passkey_rp_id: Option<RpId>,
}

/// Why nobody can use passkeys.
#[derive(Debug, PartialEq, Eq)]
pub enum NoPasskeys {
    SwitchedOff,
    /// No browser would offer them here.
    Impossible(String),
    /// What was set cannot work.
    Refused(String),
}

impl PasskeySettings {
    /// The domain that passkeys belong to, if there are any. `origins` are those of all pages that may use the API.
    pub fn domain(&self, app_url: &Url, origins: &[Url]) -> Result<RpId, NoPasskeys> {
        if self.passkeys == Switch::Off {
            return Err(NoPasskeys::SwitchedOff);
        }
        let is_plain = |origin: &&Url| origin.scheme() == "http" && !is_this_machine(origin);
        if let Some(plain) = origins.iter().find(is_plain) {
            let plain = plain.origin().ascii_serialization();
            return Err(NoPasskeys::Impossible(format!("{plain} is not https")));
        }
        let Some(chosen) = &self.passkey_rp_id else {
            return default(app_url, origins).map_err(NoPasskeys::Impossible);
        };
        match unfit(chosen, origins) {
            None => Ok(chosen.clone()),
            Some(why) => Err(NoPasskeys::Refused(format!(
                "LATCHKEY_PASSKEY_RP_ID={}: {why}, so browsers would refuse passkeys: choose the domain of all your \
                 origins (LATCHKEY_PUBLIC_URL, LATCHKEY_TRUSTED_ORIGINS), or one above them",
                chosen.as_str()
            ))),
        }
    }
}

fn default(app_url: &Url, origins: &[Url]) -> Result<RpId, String> {
    let host = app_url.host_str().unwrap_or_default();
    let name = RpId::parse(host).map_err(|_| {
        let origin = app_url.origin().ascii_serialization();
        format!("{origin} has an IP address, and passkeys belong to a domain, such as localhost")
    })?;
    match unfit(&name, origins) {
        None => Ok(name),
        Some(why) => Err(format!(
            "{host}: {why}. Set LATCHKEY_PASSKEY_RP_ID to a domain that is above all your origins"
        )),
    }
}

/// Why passkeys of this domain do not work on every page.
fn unfit(domain: &RpId, origins: &[Url]) -> Option<String> {
    if let Some(outside) = origins.iter().find(|origin| !domain.fits(origin)) {
        let outside = outside.origin().ascii_serialization();
        return Some(format!("{outside} is neither at this domain nor below it"));
    }
    domain
        .is_public_suffix()
        .then(|| "strangers have names below this domain".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        settings: PasskeySettings,
    }

    /// The domain at these origins, of which the first has the pages, and with these flags; or why there is none.
    fn passkeys(origins: &[&str], flags: &[&str]) -> Result<String, NoPasskeys> {
        let arguments = ["latchkey"].into_iter().chain(flags.iter().copied());
        let settings = Arguments::parse_from(arguments).settings;
        let origins = origins.iter().map(|origin| Url::parse(origin).unwrap());
        let origins: Vec<_> = origins.collect();
        let found = settings.domain(&origins[0], &origins);
        found.map(|domain| domain.as_str().to_owned())
    }

    const LOGIN: &str = "https://login.example.com";
    const APP: &str = "https://app.example.com";

    #[test]
    fn passkeys_belong_to_the_host_of_the_app_or_to_the_domain_that_is_set() {
        let domain = |origins: &[&str], flags: &[&str]| passkeys(origins, flags).unwrap();
        let local = ["http://localhost:5173", "http://localhost:8080"];
        assert_eq!(domain(&local, &[]), "localhost");
        assert_eq!(domain(&[LOGIN], &[]), "login.example.com");
        let above = ["--passkey-rp-id=example.com"];
        assert_eq!(domain(&[LOGIN, APP], &above), "example.com");
        let off = passkeys(&[LOGIN], &["--passkeys=off"]);
        assert_eq!(off, Err(NoPasskeys::SwitchedOff));
    }

    #[test]
    fn where_no_browser_would_offer_them_there_are_none() {
        for (origins, expected) in [
            (&["http://127.0.0.1:8080"][..], "IP address"),
            (&["https://192.0.2.1"], "IP address"),
            (&["http://login.example.com"], "not https"),
            (
                &["http://localhost:8080", "http://login.example.com"],
                "not https",
            ),
            (&["https://github.io"], "strangers have names"),
            (
                &[LOGIN, APP],
                "https://app.example.com is neither at this domain nor below it. Set LATCHKEY_PASSKEY_RP_ID",
            ),
        ] {
            match passkeys(origins, &[]) {
                Err(NoPasskeys::Impossible(why)) => assert!(why.contains(expected), "{why}"),
                other => panic!("{origins:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_domain_that_cannot_work_is_refused() {
        let one = &["https://login.example.co.uk"][..];
        for (domain, origins, expected) in [
            ("example.org", one, "neither at this domain"),
            ("gin.example.co.uk", one, "neither at this domain"),
            ("www.login.example.co.uk", one, "neither at this domain"),
            ("co.uk", one, "strangers have names"),
            (
                "login.example.com",
                &[LOGIN, APP],
                "https://app.example.com is neither",
            ),
        ] {
            match passkeys(origins, &[&format!("--passkey-rp-id={domain}")]) {
                Err(NoPasskeys::Refused(why)) => assert!(why.contains(expected), "{why}"),
                other => panic!("{domain}: {other:?}"),
            }
        }
    }
}
