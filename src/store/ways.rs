//! With what a user can prove who they are.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

#[derive(Debug, Clone, Default, QueryableByName)]
pub struct Ways {
    #[diesel(sql_type = Bool)]
    pub password: bool,
    /// A login takes two factors.
    #[diesel(sql_type = Bool)]
    pub second_factor_required: bool,
    #[diesel(sql_type = Bool)]
    pub totp: bool,
    #[diesel(sql_type = BigInt)]
    pub passkeys: i64,
    #[diesel(sql_type = BigInt)]
    pub recovery_codes: i64,
    #[diesel(sql_type = BigInt)]
    pub trusted_devices: i64,
}

/// `None` if the user is gone.
/// `rp_id`: only passkeys of this domain do.
pub async fn of_user(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    rp_id: Option<&str>,
) -> QueryResult<Option<Ways>> {
    let ways = "select password_hash is not null as password, second_factor_required, \
        exists (select from totp_secrets where user_id = users.id and confirmed_at is not null) as totp, \
        (select count(*) from passkeys where user_id = users.id and rp_id = $2) as passkeys, \
        (select count(*) from recovery_codes where user_id = users.id) as recovery_codes, \
        (select count(*) from trusted_devices where user_id = users.id and expires_at > now()) as trusted_devices \
        from users where id = $1";
    diesel::sql_query(ways)
        .bind::<SqlUuid, _>(id)
        .bind::<Nullable<Text>, _>(rp_id)
        .get_result(conn)
        .await
        .optional()
}
