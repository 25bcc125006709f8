//! Checks combinations of settings: refuses what is dangerous or cannot work, and warns about what is doubtful.

use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, System};
use url::Url;

use super::passkeys::NoPasskeys;
use super::settings::Settings;
use super::values::Switch;
use crate::domain::site::{is_same_site, is_this_machine};

const MIB: u64 = 1024 * 1024;

impl Settings {
    /// Returns warnings, or an error. Each text says what to change.
    pub fn check(&self) -> Result<Vec<String>, String> {
        if self.sessions.session_idle > self.sessions.session_max {
            return Err(
                "LATCHKEY_SESSION_IDLE is longer than LATCHKEY_SESSION_MAX: lower the one or raise the other".into(),
            );
        }
        let mut proxies = self.trust.trusted_proxies.iter();
        if let Some(all) = proxies.find(|network| network.prefix_len() == 0) {
            return Err(format!(
                "LATCHKEY_TRUSTED_PROXIES={all} believes everyone's X-Forwarded-For, so anyone could escape the rate \
                 limits with it: name the addresses of your proxies"
            ));
        }
        let mut warnings = Vec::new();
        self.check_memory(0, memory_of_machine(), &mut warnings)?;
        self.check_listeners(&mut warnings)?;
        self.check_origins(&mut warnings)?;
        self.check_exposure(&mut warnings);
        self.check_mail(&mut warnings)?;
        if let Err(NoPasskeys::Refused(why)) = self.passkeys() {
            return Err(why);
        }
        let providers = self.app.providers.read();
        providers.map_err(|error| format!("{error:#}"))?;
        let pages = &self.app.front;
        pages.check(&self.database.data_dir, &mut warnings)?;
        Ok(warnings)
    }

    /// The same for what is known once the database is open: the memory of the largest imported hash.
    /// It only warns: an import must not keep the server from starting.
    pub fn check_imported(&self, kib: u32) -> Vec<String> {
        let mut warnings = Vec::new();
        if kib > 0 {
            let checked = self.check_memory(kib, memory_of_machine(), &mut warnings);
            warnings.extend(checked.err());
        }
        warnings
    }

    /// Hashing must fit into memory, or the kernel kills the process during the first flood of logins.
    fn check_memory(
        &self,
        imported_kib: u32,
        machine: Option<u64>,
        warnings: &mut Vec<String>,
    ) -> Result<(), String> {
        let needed = self.passwords.hash_memory(imported_kib);
        let Some(machine) = machine.filter(|machine| needed > machine / 2) else {
            return Ok(());
        };
        let workers = self.passwords.hash_workers();
        let (why, cure) = match imported_kib {
            0 => ("LATCHKEY_ARGON2", "lower one of the two"),
            _ => (
                "LATCHKEY_ARGON2 and an imported hash",
                "lower LATCHKEY_HASH_WORKERS",
            ),
        };
        let need = format!(
            "LATCHKEY_HASH_WORKERS={workers} with {} MiB each ({why}) need {} MiB of the {} MiB that this machine or \
             container has",
            needed / workers as u64 / MIB,
            needed / MIB,
            machine / MIB
        );
        if needed > machine {
            return Err(format!("{need}: {cure}"));
        }
        warnings.push(format!("{need}: little is left for everything else"));
        Ok(())
    }

    fn check_listeners(&self, warnings: &mut Vec<String>) -> Result<(), String> {
        let Some(metrics) = self.server.metrics_listen else {
            return Ok(());
        };
        let public = self.server.listen;
        let overlap = metrics.ip() == public.ip()
            || metrics.ip().is_unspecified()
            || public.ip().is_unspecified();
        if metrics.port() == public.port() && metrics.port() != 0 && overlap {
            return Err(format!(
                "LATCHKEY_METRICS_LISTEN={metrics} is where the public comes in (LATCHKEY_LISTEN={public}), and metrics \
                 are not for the public: choose another port"
            ));
        }
        if !metrics.ip().is_loopback() {
            warnings.push(format!(
                "LATCHKEY_METRICS_LISTEN={metrics} is not a loopback address: whoever reaches it can read the metrics, \
                 unencrypted. Let only your monitoring through"
            ));
        }
        Ok(())
    }

    fn check_origins(&self, warnings: &mut Vec<String>) -> Result<(), String> {
        for text in &self.trust.trusted_origins {
            let Ok(origin) = Url::parse(text) else {
                continue;
            };
            if self.server.is_https() && origin.scheme() == "http" && !is_this_machine(&origin) {
                return Err(format!(
                    "LATCHKEY_TRUSTED_ORIGINS={text}: anyone on the network path could change that page and act as its \
                     visitors. Serve it over https and write https:// here"
                ));
            }
            let public_url = self.server.public_url();
            if !is_same_site(&origin, &public_url) {
                warnings.push(format!(
                    "pages of {text} are on another site than {public_url}: browsers do not send the session cookie with \
                     their requests (SameSite=Lax). Serve both under one domain; latchkey doctor --origin {text} explains \
                     it"
                ));
            }
        }
        Ok(())
    }

    fn check_mail(&self, warnings: &mut Vec<String>) -> Result<(), String> {
        let app_origin = self.app_url().origin().ascii_serialization();
        let public_origin = self.server.public_url().origin().ascii_serialization();
        if app_origin != public_origin && !self.trust.trusted_origins.contains(&app_origin) {
            return Err(format!(
                "LATCHKEY_APP_URL={app_origin} is no trusted origin, so its pages could not use the API: add it to \
                 LATCHKEY_TRUSTED_ORIGINS"
            ));
        }
        self.mail.sender(&self.app_url(), &self.app_name())?;
        let is_required = self.app.require_verified_email == Switch::On;
        match (&self.mail.smtp_url, self.server.is_https()) {
            (None, true) if is_required => {
                return Err(
                    "LATCHKEY_REQUIRE_VERIFIED_EMAIL is on, but without LATCHKEY_SMTP_URL nobody gets the mail to \
                     verify an address: set it"
                        .into(),
                );
            }
            (None, true) => warnings.push(
                "LATCHKEY_SMTP_URL is not set: mails stay in the data directory, so nobody can reset a password".into(),
            ),
            _ => {}
        }
        Ok(())
    }

    fn check_exposure(&self, warnings: &mut Vec<String>) {
        if self.limits.rate_limits == Switch::Off {
            warnings.push(
                "LATCHKEY_RATE_LIMITS is off: anyone can guess passwords as fast as this machine hashes them".to_owned(),
            );
        }
        if self.server.is_https() && self.trust.trusted_proxies.is_empty() {
            warnings.push(
                "LATCHKEY_PUBLIC_URL is https, so there must be a proxy in front, but LATCHKEY_TRUSTED_PROXIES is not \
                 set: everyone seems to come from the proxy's address and shares its limits. Set it to that address"
                    .to_owned(),
            );
        }
        let public_url = self.server.public_url();
        if !self.server.is_https() && !is_this_machine(&public_url) {
            warnings.push(format!(
                "LATCHKEY_PUBLIC_URL={public_url} is not https: passwords and cookies travel unencrypted. Put a proxy with \
                 TLS in front"
            ));
        }
    }
}

/// The memory that this process may use, in bytes: the machine's, or less in a container or under systemd's MemoryMax.
fn memory_of_machine() -> Option<u64> {
    let mut system = System::new().ok()?;
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    let container = system.cgroup_limits();
    let own = sysinfo::get_current_pid().ok().and_then(|pid| {
        system.refresh_processes_specifics(
            ProcessesToUpdate::Some(&[pid]),
            false,
            ProcessRefreshKind::nothing(),
        );
        system.process(pid)?.cgroup_limits()
    });
    let limits = [container, own]
        .into_iter()
        .flatten()
        .map(|limits| limits.total_memory);
    limits
        .chain([system.total_memory()])
        .filter(|bytes| *bytes > 0)
        .min()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn hash_memory_above_half_of_the_machine_warns_and_above_all_of_it_is_refused() {
        let arguments = ["latchkey", "--hash-workers=8", "--argon2=m=65536,t=2,p=1"];
        let settings = Arguments::parse_from(arguments).settings;
        let checked = |imported_kib: u32, machine: u64| {
            let mut warnings = Vec::new();
            settings
                .check_memory(imported_kib, Some(machine * MIB), &mut warnings)
                .map(|()| warnings.len())
        };
        let check = |machine| checked(0, machine);
        assert_eq!(check(2048), Ok(0));
        assert_eq!(check(1024), Ok(0));
        assert_eq!(check(1000), Ok(1));
        let refused = check(511).unwrap_err();
        assert!(
            refused.contains("LATCHKEY_HASH_WORKERS=8")
                && refused.contains("512 MiB of the 511 MiB"),
            "{refused}"
        );
        assert_eq!(checked(65_536, 2047), Ok(1));
        let refused = checked(65_536, 1023).unwrap_err();
        let why = "128 MiB each (LATCHKEY_ARGON2 and an imported hash)";
        assert!(refused.contains(why), "{refused}");
    }

    #[test]
    fn the_memory_of_this_machine_is_known() {
        assert!(memory_of_machine().is_some_and(|bytes| bytes > 64 * MIB));
    }
}
