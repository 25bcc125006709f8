//! Who acts on somebody's account: its user, an administrator, or an operator at a shell.

use serde_json::Value;
use uuid::Uuid;

use super::events::{self, Kind};
use super::services::Services;
use crate::domain::client::Client;

#[derive(Clone, Copy)]
pub struct Actor<'a> {
    /// `None`: an operator.
    pub id: Option<Uuid>,
    pub client: &'a Client,
}

impl<'a> Actor<'a> {
    pub fn operator(client: &'a Client) -> Self {
        Self { id: None, client }
    }

    pub fn administrator(id: Uuid, client: &'a Client) -> Self {
        Self {
            id: Some(id),
            client,
        }
    }

    /// Records what this actor did to a user.
    pub async fn record(
        self,
        services: &Services,
        kind: Kind,
        user_id: impl Into<Option<Uuid>>,
        details: Option<Value>,
    ) {
        let mut event = events::made(kind, user_id.into(), self.client);
        event.actor_id = self.id;
        event.details = details;
        services.events.record_made(event).await;
    }
}
