//! Who is asking, as far as the network tells.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use chrono::{DateTime, Utc};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use uuid::Uuid;

use super::secret::{NoRandom, random};

/// The other end of a request: for lists, logs and limits, never for a decision about identity.
#[derive(Debug, Clone)]
pub struct Client {
    pub ip: IpAddr,
    /// At most [`USER_AGENT_MAX`] bytes.
    pub user_agent: Option<String>,
    pub request_id: Uuid,
    /// What the device cookie says, if it is one of ours.
    pub devices: Devices,
}

impl Client {
    /// Whoever sits at this machine's shell, by the command that they run.
    pub fn at_shell(command: &str) -> Self {
        Self {
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            user_agent: Some(command.to_owned()),
            request_id: Uuid::nil(),
            devices: Devices::default(),
        }
    }

    /// Whom the address stands for: an IPv6 network of 64 bits belongs to one household (RFC 6177).
    pub fn network(&self) -> IpNet {
        match self.ip {
            IpAddr::V4(ip) => Ipv4Net::from(ip).into(),
            IpAddr::V6(ip) => Ipv6Net::new_assert(ip, 64).trunc().into(),
        }
    }

    /// Where somebody is at home, roughly: an IPv4 network of 24 bits, since providers hand addresses around within
    /// one, or an IPv6 network of 64.
    pub fn neighbourhood(&self) -> IpNet {
        match self.ip {
            IpAddr::V4(ip) => Ipv4Net::new_assert(ip, 24).trunc().into(),
            IpAddr::V6(_) => self.network(),
        }
    }
}

/// Longer ones say nothing more to the person who reads them, and anybody can send them.
pub const USER_AGENT_MAX: usize = 256;

/// A browser in which somebody logged in before. Proves nothing about who sits there; it only has its own limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub user_id: Uuid,
    pub id: Uuid,
    /// The last login, to the second.
    pub since: DateTime<Utc>,
    /// Of the password that was given then.
    pub epoch: i32,
}

/// Browsers keep no cookie longer (RFC 6265bis 5.5).
pub const DEVICE_DAYS: u32 = 400;
const DEVICE_LIFE: Duration = Duration::from_secs(DEVICE_DAYS as u64 * 86_400);
/// A family shares a browser; a browser in a library gets no more.
const PEOPLE_MAX: usize = 5;

/// The people who logged in in one browser, the last one first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Devices(Vec<Device>);

impl Devices {
    /// As the signed cookie carries them; a place that cannot be read is empty.
    pub fn parse(text: &str) -> Self {
        let places = text.split('~').filter_map(Device::parse);
        Self(places.take(PEOPLE_MAX).collect())
    }

    /// The device of this user, if it is of the password of today and not too old.
    pub fn known(&self, user_id: Uuid, epoch: i32, now: DateTime<Utc>) -> Option<&Device> {
        let device = self.0.iter().find(|device| device.user_id == user_id)?;
        let alive = device.epoch == epoch && now < device.since + DEVICE_LIFE;
        alive.then_some(device)
    }

    /// With this user's place made or renewed; the one whose login is longest ago gives way.
    pub fn with(
        mut self,
        user_id: Uuid,
        epoch: i32,
        since: DateTime<Utc>,
    ) -> Result<Self, NoRandom> {
        let known = self.known(user_id, epoch, since).map(|device| device.id);
        let id = known.map_or_else(|| random().map(Uuid::from_bytes), Ok)?;
        self.0.retain(|device| device.user_id != user_id);
        let device = Device {
            user_id,
            id,
            since,
            epoch,
        };
        self.0.insert(0, device);
        self.0.truncate(PEOPLE_MAX);
        Ok(self)
    }
}

impl std::fmt::Display for Devices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, device) in self.0.iter().enumerate() {
            let separator = if index > 0 { "~" } else { "" };
            write!(f, "{separator}{device}")?;
        }
        Ok(())
    }
}

impl Device {
    /// `user.device.since.epoch`
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let device = Self {
            user_id: Uuid::parse_str(parts.next()?).ok()?,
            id: Uuid::parse_str(parts.next()?).ok()?,
            since: DateTime::from_timestamp(parts.next()?.parse().ok()?, 0)?,
            epoch: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(device)
    }
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (user_id, id) = (self.user_id.simple(), self.id.simple());
        write!(
            f,
            "{user_id}.{id}.{}.{}",
            self.since.timestamp(),
            self.epoch
        )
    }
}
