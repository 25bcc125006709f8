//! Combinations of settings: what cannot work or is dangerous is refused, what is doubtful is said at start.

use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, System};
use url::Url;

use super::{Settings, Switch};
use crate::domain::site::{is_same_site, is_this_machine};

const MIB: u64 = 1024 * 1024;

impl Settings {
    /// Refuses or warns; each text says what to change.
    pub fn check(&self) -> Result<Vec<String>, String> {
        if self.session_idle > self.session_max {
            return Err("LATCHKEY_SESSION_IDLE is longer than LATCHKEY_SESSION_MAX: lower the one or raise the other".into());
        }
        if let Some(all) = self
            .trusted_proxies
            .iter()
            .find(|net| net.prefix_len() == 0)
        {
            return Err(format!(
                "LATCHKEY_TRUSTED_PROXIES={all} believes everybody's X-Forwarded-For, so anybody could escape the limits \
                 by it: name the addresses of your proxies"
            ));
        }
        let mut warnings = Vec::new();
        self.check_memory(memory_of_machine(), &mut warnings)?;
        self.check_origins(&mut warnings)?;
        self.check_exposure(&mut warnings);
        Ok(warnings)
    }

    /// Hashing must fit, or the kernel ends the process at the first flood of logins.
    fn check_memory(&self, machine: Option<u64>, warnings: &mut Vec<String>) -> Result<(), String> {
        let needed = self.passwords.hash_memory();
        let Some(machine) = machine.filter(|machine| needed > machine / 2) else {
            return Ok(());
        };
        let told = format!(
            "LATCHKEY_HASH_WORKERS={} times {} MiB of LATCHKEY_ARGON2 are {} MiB, of {} MiB that this machine or \
             container has",
            self.passwords.hash_workers(),
            self.passwords.argon2.m_cost() / 1024,
            needed / MIB,
            machine / MIB
        );
        if needed > machine {
            return Err(format!("{told}: lower one of the two"));
        }
        warnings.push(format!("{told}: little is left for the rest"));
        Ok(())
    }

    fn check_origins(&self, warnings: &mut Vec<String>) -> Result<(), String> {
        for text in &self.trusted_origins {
            let Ok(origin) = Url::parse(text) else {
                continue;
            };
            if self.is_https() && origin.scheme() == "http" && !is_this_machine(&origin) {
                return Err(format!(
                    "LATCHKEY_TRUSTED_ORIGINS={text}: whoever is on the way could change that page and act as its \
                     visitors; serve it over https and write https:// here"
                ));
            }
            if !is_same_site(&origin, &self.public_url) {
                warnings.push(format!(
                    "pages of {text} are on another site than {}: browsers will not send them the session cookie \
                     (SameSite=Lax). Serve both below one domain; latchkey doctor --origin {text} explains",
                    self.public_url
                ));
            }
        }
        Ok(())
    }

    fn check_exposure(&self, warnings: &mut Vec<String>) {
        if self.rate_limits == Switch::Off {
            warnings.push(
                "LATCHKEY_RATE_LIMITS is off: passwords can be guessed as fast as they can be hashed".to_owned(),
            );
        }
        if self.is_https() && self.trusted_proxies.is_empty() {
            warnings.push(
                "LATCHKEY_PUBLIC_URL is https, so a proxy must be in front, but LATCHKEY_TRUSTED_PROXIES is not set: \
                 everybody seems to come from the proxy's address and shares its limits. Set it to that address"
                    .to_owned(),
            );
        }
        if !self.is_https() && !is_this_machine(&self.public_url) {
            warnings.push(format!(
                "LATCHKEY_PUBLIC_URL={} is not https: passwords and cookies travel in the clear. Put a proxy with TLS \
                 in front",
                self.public_url
            ));
        }
    }
}

/// What this process may use, in bytes: the machine's memory, or less in a container or under systemd's MemoryMax.
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
    fn hashing_that_does_not_fit_the_machine_is_refused_and_half_of_it_warned_of() {
        let arguments = ["latchkey", "--hash-workers=8", "--argon2=m=65536,t=2,p=1"];
        let settings = Arguments::parse_from(arguments).settings;
        let check = |machine: u64| {
            let mut warnings = Vec::new();
            settings
                .check_memory(Some(machine * MIB), &mut warnings)
                .map(|()| warnings.len())
        };
        assert_eq!(check(2048), Ok(0));
        assert_eq!(check(1024), Ok(0));
        assert_eq!(check(1000), Ok(1));
        let refused = check(511).unwrap_err();
        assert!(
            refused.contains("LATCHKEY_HASH_WORKERS=8") && refused.contains("512 MiB, of 511 MiB"),
            "{refused}"
        );
    }

    #[test]
    fn the_memory_of_this_machine_is_known() {
        assert!(memory_of_machine().is_some_and(|bytes| bytes > 64 * MIB));
    }
}
