//! Makes names unique that we made ourselves.

use super::transaction::{Transaction, failed};
use crate::store::db::error::DbError;

/// The numbers double in each round, so that no more rounds are needed than a number has bits.
const ROUNDS: usize = 80;

const TAKEN: &str = "
    insert into import_names select username_key, line, '' from import_arriving where username_key is not null";

/// Who needs a name: those who arrive, or, for the report alone, those who would with `--rename`.
const NAMELESS: &str = "
    insert into import_nameless select line, username, 1 from import_lines where reason is null and made is not null";
const NAMELESS_IN_REPORT: &str = "
    insert into import_nameless select line, username, 1 from import_lines where reason = made";

/// Each tries its name with its number, and keeps it if nobody else has it. In the order of lines, decided row by row.
const TRY: &str = "
    with candidates as (
        select line, case number when 1 then base
            else left(base, 31 - length(number::text)) || '-' || number end as name
        from import_nameless
    ), named as (
        insert into import_names
        select lower(name), line, name from candidates
        where not exists (select from users where lower(users.username) = lower(candidates.name))
        order by line
        on conflict do nothing
        returning line
    )
    delete from import_nameless using named where named.line = import_nameless.line";

/// The others go on with the next numbers, no two with the same.
const NEXT: &str = "
    update import_nameless set number = next.number from (
        select line, $1::bigint * max(number) over same
            + row_number() over (same order by line) as number
        from import_nameless window same as (partition by lower(base))
    ) as next where next.line = import_nameless.line";

const DONE: &str = "
    update import_lines set detail = name from import_names
        where import_names.line = import_lines.line and name <> '' and reason = made;
    analyze import_names;";

pub async fn make_names(transaction: &Transaction, rename: bool) -> Result<(), DbError> {
    transaction.execute(TAKEN).await?;
    let nameless = match rename {
        true => NAMELESS,
        false => NAMELESS_IN_REPORT,
    };
    transaction.execute(nameless).await?;
    let client = &transaction.client;
    for round in 0..ROUNDS {
        client.execute(TRY, &[]).await.map_err(failed)?;
        let factor = if round < 8 { 1_i64 } else { 2 };
        let left = client.execute(NEXT, &[&factor]).await.map_err(failed)?;
        if left == 0 {
            return transaction.execute(DONE).await;
        }
    }
    Err(DbError::Unavailable("cannot make unique names".to_owned()))
}
