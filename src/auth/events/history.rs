//! What happened, in pages.

use crate::auth::error::Result;
use crate::auth::services::Services;
use crate::domain::moment::Moment;
pub use crate::store::events::Wanted;
use crate::store::events::{self, Event};

/// Events on one page.
pub const PAGE: usize = 50;

/// A page of events, newest first, and where it ends if there are more.
pub async fn page(
    services: &Services,
    wanted: &Wanted,
    before: Option<Moment>,
) -> Result<(Vec<Event>, Option<Moment>)> {
    let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let mut rows = services
        .db
        .run(async |conn| events::page(conn, wanted, before, limit).await)
        .await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let last = rows.last().filter(|_| more);
    let end = last.map(|event| Moment {
        at: event.created_at,
        id: event.id,
    });
    Ok((rows, end))
}
