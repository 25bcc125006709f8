//! Migrations: up, down and up again; several instances at once; what the schema itself guarantees.

use latchkey::store::db::migrations;

use crate::support::Database;

async fn shape(database: &Database) -> Vec<Vec<Option<String>>> {
    let columns = "select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns \
        where table_schema = 'public' union all select conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '' \
        from pg_constraint where connamespace = 'public'::regnamespace union all select tablename, indexname, indexdef, '', '' \
        from pg_indexes where schemaname = 'public' union all select tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), '', '' \
        from pg_trigger where not tgisinternal order by 1, 2, 3";
    database.sql(columns).await
}

#[tokio::test]
async fn migrations_run_revert_and_run_again() {
    let database = Database::empty().await;
    let connector = database.connector();
    assert!(migrations::run(&connector).unwrap().len() >= 3);
    let before = shape(&database).await;
    migrations::revert_all(&connector).unwrap();
    let left = "select (select count(*) from pg_tables where schemaname = 'public' and tablename not like '\\_\\_diesel%') \
        + (select count(*) from pg_proc where pronamespace = 'public'::regnamespace)";
    assert_eq!(database.sql(left).await[0][0].as_deref(), Some("0"));
    assert!(migrations::run(&connector).unwrap().len() >= 3);
    assert_eq!(shape(&database).await, before);
    assert!(migrations::run(&connector).unwrap().is_empty());
}

#[tokio::test]
async fn instances_that_start_together_take_turns() {
    let database = Database::empty().await;
    let connector = database.connector();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let connector = connector.clone();
            std::thread::spawn(move || migrations::run(&connector).unwrap().len())
        })
        .collect();
    let mut ran: Vec<usize> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    ran.sort_unstable();
    assert_eq!(
        &ran[..3],
        [0, 0, 0],
        "one migrates, the others find it done"
    );
    assert!(ran[3] >= 3);
}

#[tokio::test]
async fn every_foreign_key_has_an_index_and_every_constraint_our_own_name() {
    let database = Database::create().await;
    let bare = "select conrelid::regclass, conname from pg_constraint c where contype = 'f' and not exists \
        (select from pg_index i where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1])";
    assert_eq!(database.sql(bare).await, Vec::<Vec<Option<String>>>::new());
    let odd = "select conname from pg_constraint where connamespace = 'public'::regnamespace \
        and conname !~ ('^' || conrelid::regclass || '_.*(pkey|key|check|fkey)$') and conrelid::regclass::text not like '%diesel%'";
    assert_eq!(database.sql(odd).await, Vec::<Vec<Option<String>>>::new());
}

#[tokio::test]
async fn older_events_keep_their_order_when_they_are_renumbered() {
    let database = Database::create().await;
    database
        .sql(include_str!(
            "../../migrations/2026-11-25-000000_number_events_where_they_happen/down.sql"
        ))
        .await;
    database
        .sql(
            "insert into users (username, email, password_hash) values ('susan', 'susan@example.com', 'x'); \
             insert into security_events (created_at, kind, user_id, ip, request_id) \
             select now() - (3000 - n) / 2 * interval '1 hour', 'event' || n, (select id from users), '::1', gen_random_uuid() \
             from generate_series(1, 3000) n",
        )
        .await;
    database
        .sql(include_str!(
            "../../migrations/2026-11-25-000000_number_events_where_they_happen/up.sql"
        ))
        .await;
    let order = "select count(*) from (select kind, row_number() over (order by created_at, id) as n from security_events) \
        as ordered where kind = 'event' || n";
    assert_eq!(database.sql(order).await[0][0].as_deref(), Some("3000"));
    let versions =
        "select distinct substr(id::text, 15, 1) || substr(id::text, 20, 1) from security_events";
    assert_eq!(
        database.sql(versions).await[0][0].as_deref(),
        Some("78"),
        "UUIDv7"
    );
    database
        .sql(include_str!(
            "../../migrations/2026-11-25-000000_number_events_where_they_happen/down.sql"
        ))
        .await;
    let left = "select count(*) from security_events";
    assert_eq!(database.sql(left).await[0][0].as_deref(), Some("3000"));
}

#[tokio::test]
async fn a_database_without_utf8_is_refused_with_the_fix() {
    let database = Database::empty().await;
    let latin = format!("{}_latin", database.name());
    let make = format!("create database {latin} encoding 'LATIN1' locale 'C' template template0");
    database.sql(&make).await;
    let error = migrations::run(&database.connector().with_database(&latin)).unwrap_err();
    assert!(error.to_string().contains("needs UTF8"), "{error}");
    database.sql(&format!("drop database {latin}")).await;
}
