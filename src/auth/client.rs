//! Who is asking, as far as the network tells.

use std::net::IpAddr;

use uuid::Uuid;

/// The other end of a request: for lists, logs and limits, never for a decision about identity.
#[derive(Debug, Clone)]
pub struct Client {
    pub ip: IpAddr,
    pub user_agent: Option<String>,
    pub request_id: Uuid,
}
