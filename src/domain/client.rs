//! Who sent a request, as far as the network shows.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use chrono::{DateTime, Utc};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use uuid::Uuid;

use super::locale::Locale;
use super::secret::{NoRandom, random};

/// The client of a request. For lists, logs and limits, never for deciding who someone is.
#[derive(Debug, Clone)]
pub struct Client {
    pub ip: IpAddr,
    /// At most [`USER_AGENT_MAX`] bytes.
    pub user_agent: Option<String>,
    pub request_id: Uuid,
    /// The content of the device cookie, if we signed it.
    pub devices: Devices,
    /// The language that the browser prefers.
    pub locale: Option<Locale>,
}

impl Client {
    /// Whoever runs `command` in this machine's shell.
    pub fn at_shell(command: &str) -> Self {
        Self {
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            user_agent: Some(command.to_owned()),
            request_id: Uuid::nil(),
            devices: Devices::default(),
            locale: None,
        }
    }

    /// The network that an address stands for: an IPv6 /64 belongs to one household (RFC 6177).
    pub fn network(&self) -> IpNet {
        match self.ip {
            IpAddr::V4(ip) => Ipv4Net::from(ip).into(),
            IpAddr::V6(ip) => Ipv6Net::new_assert(ip, 64).trunc().into(),
        }
    }

    /// Roughly where someone is: an IPv4 /24, since providers reassign addresses within one, or an IPv6 /64.
    pub fn neighbourhood(&self) -> IpNet {
        match self.ip {
            IpAddr::V4(ip) => Ipv4Net::new_assert(ip, 24).trunc().into(),
            IpAddr::V6(_) => self.network(),
        }
    }
}

/// Longer ones tell a reader nothing more, and anyone can send them.
pub const USER_AGENT_MAX: usize = 256;

/// A browser in which a user logged in before. It proves nothing about who uses it now: it gets separate limits, and
/// needs no second factor where a row says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub user_id: Uuid,
    pub id: Uuid,
    /// The time of the last login, to the second.
    pub since: DateTime<Utc>,
    /// The epoch of the password used for that login.
    pub epoch: i32,
}

/// Browsers keep cookies no longer than this (RFC 6265bis 5.5).
pub const DEVICE_DAYS: u32 = 400;
const DEVICE_LIFE: Duration = Duration::from_secs(DEVICE_DAYS as u64 * 86_400);
/// Enough for a family that shares a browser. A library browser gets no more.
const PEOPLE_MAX: usize = 5;

/// The users who logged in in one browser, most recent first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Devices(Vec<Device>);

impl Devices {
    /// Parses the value of the signed cookie. Skips entries that cannot be parsed.
    pub fn parse(text: &str) -> Self {
        let places = text.split('~').filter_map(Device::parse);
        Self(places.take(PEOPLE_MAX).collect())
    }

    /// The device of this user, if its epoch is current and it is not too old.
    pub fn known(&self, user_id: Uuid, epoch: i32, now: DateTime<Utc>) -> Option<&Device> {
        let device = self.0.iter().find(|device| device.user_id == user_id)?;
        let alive = device.epoch == epoch && now < device.since + DEVICE_LIFE;
        alive.then_some(device)
    }

    /// The id of this user's device, if its epoch is current. For those who keep a row about it.
    pub fn id_of(&self, user_id: Uuid, epoch: i32) -> Option<Uuid> {
        let ours = |device: &&Device| device.user_id == user_id && device.epoch == epoch;
        self.0.iter().find(ours).map(|device| device.id)
    }

    /// Gives this user's device another id: copies of the cookie of before are not it any more.
    pub fn renamed(
        mut self,
        user_id: Uuid,
        epoch: i32,
        since: DateTime<Utc>,
    ) -> Result<Self, NoRandom> {
        self.0.retain(|device| device.user_id != user_id);
        self.with(user_id, epoch, since)
    }

    /// Adds or renews this user's device. The one with the oldest login is evicted.
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
