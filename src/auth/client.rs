//! Who is asking, as far as the network tells.

use std::net::IpAddr;

use uuid::Uuid;

use super::error::Result;
use super::key::random;

/// The other end of a request: for lists, logs and limits, never for a decision about identity.
#[derive(Debug, Clone)]
pub struct Client {
    pub ip: IpAddr,
    pub user_agent: Option<String>,
    pub request_id: Uuid,
    /// The device cookie that the browser sent, if it is one of ours.
    pub device: Option<Device>,
}

/// A browser in which somebody logged in before. Proves nothing about who sits there; it only has its own limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub user_id: Uuid,
    pub id: Uuid,
}

impl Device {
    pub fn new(user_id: Uuid) -> Result<Self> {
        Ok(Self {
            user_id,
            id: Uuid::from_bytes(random()?),
        })
    }

    /// `user.device`, as the signed cookie carries it.
    pub fn parse(text: &str) -> Option<Self> {
        let (user_id, id) = text.split_once('.')?;
        Some(Self {
            user_id: Uuid::parse_str(user_id).ok()?,
            id: Uuid::parse_str(id).ok()?,
        })
    }
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.user_id.simple(), self.id.simple())
    }
}
