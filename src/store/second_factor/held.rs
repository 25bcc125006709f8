//! What is stored of a user's second factors, without the secrets: for their export.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::steps::Step;
use super::trusted_devices::{self, TrustedDevice};
use crate::store::schema::{login_steps, recovery_codes, recovery_sets, totp_secrets};

/// One field for each table.
pub struct Held {
    /// When each secret was offered, and when it was confirmed.
    pub totp_secrets: Vec<(DateTime<Utc>, Option<DateTime<Utc>>)>,
    /// When the codes were made.
    pub recovery_sets: Vec<DateTime<Utc>>,
    /// The same of each code that has not been used.
    pub recovery_codes: Vec<DateTime<Utc>>,
    pub trusted_devices: Vec<TrustedDevice>,
    pub login_steps: Vec<Step>,
}

pub async fn of_user(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<Held> {
    let steps = login_steps::table.filter(login_steps::user_id.eq(id));
    let codes = recovery_codes::table.filter(recovery_codes::user_id.eq(id));
    Ok(Held {
        totp_secrets: totp_secrets::table
            .find(id)
            .select((totp_secrets::created_at, totp_secrets::confirmed_at))
            .load(conn)
            .await?,
        recovery_sets: recovery_sets::table
            .find(id)
            .select(recovery_sets::created_at)
            .load(conn)
            .await?,
        recovery_codes: codes.select(recovery_codes::created_at).load(conn).await?,
        trusted_devices: trusted_devices::list(conn, id).await?,
        login_steps: steps.select(Step::as_select()).load(conn).await?,
    })
}
