//! Users with all that another system needs to take them over.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::schema::users;
use super::users::Account;
use crate::domain::moment::Moment;

#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(diesel::pg::Pg))]
pub struct Leaving {
    #[diesel(embed)]
    pub account: Account,
    pub pending_email: Option<String>,
}

impl Leaving {
    /// Where the next page begins.
    pub fn moment(&self) -> Moment {
        Moment {
            at: self.account.user.created_at,
            id: self.account.user.id,
        }
    }
}

/// Up to `limit` users who registered after `place`.
pub async fn page(
    conn: &mut AsyncPgConnection,
    place: Option<Moment>,
    limit: i64,
) -> QueryResult<Vec<Leaving>> {
    let mut page = users::table
        .order((users::created_at, users::id))
        .limit(limit)
        .select(Leaving::as_select())
        .into_boxed();
    if let Some(Moment { at, id }) = place {
        // As a row, because then the index finds the place even among thousands who were imported at one time.
        let behind = sql::<Bool>("(users.created_at, users.id) > (")
            .bind::<Timestamptz, _>(at)
            .sql(", ")
            .bind::<SqlUuid, _>(id)
            .sql(")");
        page = page.filter(behind);
    }
    page.load(conn).await
}
