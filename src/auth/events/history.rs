//! A user's view of their own events.

use uuid::Uuid;

use crate::auth::error::Result;
use crate::auth::services::Services;
use crate::store::events::{self, Event};

/// Events on one page.
pub const PAGE: usize = 50;

/// A page of a user's events, newest first, and the cursor of the next page if there is one.
pub async fn page(
    services: &Services,
    user_id: Uuid,
    before: Option<Uuid>,
) -> Result<(Vec<Event>, Option<Uuid>)> {
    let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let mut rows = services
        .db
        .run(async |conn| events::of_user(conn, user_id, before, limit).await)
        .await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows.last().filter(|_| more).map(|event| event.id);
    Ok((rows, next))
}
