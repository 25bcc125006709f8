//! With what a user can prove who they are.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Uuid as SqlUuid};
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
    /// The issuers of the accounts at providers.
    #[diesel(sql_type = Array<Text>)]
    pub identities: Vec<String>,
    #[diesel(sql_type = BigInt)]
    pub recovery_codes: i64,
    #[diesel(sql_type = BigInt)]
    pub trusted_devices: i64,
}

/// What this server lets people log in with.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// Passkeys of this domain.
    pub rp_id: Option<&'a str>,
    /// Accounts at these issuers.
    pub issuers: &'a [String],
}

impl Ways {
    /// Whether there is a way in without any passkey.
    pub fn without_passkeys(&self) -> bool {
        self.password || !self.identities.is_empty()
    }
}

/// Only what is on offer counts. `None` if the user is gone.
pub async fn of_user(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    offer: Offer<'_>,
) -> QueryResult<Option<Ways>> {
    let ways = "select password_hash is not null as password, second_factor_required, \
        exists (select from totp_secrets where user_id = users.id and confirmed_at is not null) as totp, \
        (select count(*) from passkeys where user_id = users.id and rp_id = $2) as passkeys, \
        array(select issuer from identities where user_id = users.id and issuer = any($3) order by created_at, id) as identities, \
        (select count(*) from recovery_codes where user_id = users.id) as recovery_codes, \
        (select count(*) from trusted_devices where user_id = users.id and expires_at > now()) as trusted_devices \
        from users where id = $1";
    diesel::sql_query(ways)
        .bind::<SqlUuid, _>(id)
        .bind::<Nullable<Text>, _>(offer.rp_id)
        .bind::<Array<Text>, _>(offer.issuers)
        .get_result(conn)
        .await
        .optional()
}
