//! Under which key the secrets of authenticator apps are sealed. They begin with its name, of five bytes.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::store::schema::totp_secrets;

/// A confirmed secret.
#[derive(QueryableByName)]
pub struct Sealed {
    #[diesel(sql_type = SqlUuid)]
    pub user_id: Uuid,
    #[diesel(sql_type = Binary)]
    pub secret: Vec<u8>,
}

/// The names of all keys that sealed a confirmed secret. Jumps from one to the next in the index, however many secrets
/// there are.
pub async fn keys_in_use(conn: &mut AsyncPgConnection) -> QueryResult<Vec<Vec<u8>>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Nullable<Binary>)]
        key: Option<Vec<u8>>,
    }
    // PostgreSQL has no `min` of bytea before version 18.
    let next = |behind: &str| {
        format!(
            "select (select substr(secret, 1, 5) from totp_secrets where confirmed_at is not null {behind} \
             order by substr(secret, 1, 5) limit 1) as key"
        )
    };
    let (first, jump) = (next(""), next("and substr(secret, 1, 5) > keys.key"));
    let jump = format!(
        "with recursive keys as ({first} union all {jump} from keys where keys.key is not null) select key from keys"
    );
    let rows: Vec<Row> = diesel::sql_query(jump).load(conn).await?;
    Ok(rows.into_iter().filter_map(|row| row.key).collect())
}

/// Up to `limit` confirmed secrets under this key, of the users behind `after`.
pub async fn page(
    conn: &mut AsyncPgConnection,
    key: &[u8],
    after: Uuid,
    limit: i64,
) -> QueryResult<Vec<Sealed>> {
    let page = "select user_id, secret from totp_secrets where confirmed_at is not null \
                and substr(secret, 1, 5) = $1 and user_id > $2 order by user_id limit $3";
    diesel::sql_query(page)
        .bind::<Binary, _>(key)
        .bind::<SqlUuid, _>(after)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await
}

/// Replaces a secret, unless another instance or its user was faster.
pub async fn replace(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    old: &[u8],
    new: &[u8],
) -> QueryResult<usize> {
    let same = totp_secrets::table
        .find(user_id)
        .filter(totp_secrets::secret.eq(old));
    diesel::update(same)
        .set(totp_secrets::secret.eq(new))
        .execute(conn)
        .await
}
