//! The SQL of an import, in the order in which it runs. `import_lines` holds a row for each line of the source; who has a
//! `reason` does not come.

/// The tables are gone with the transaction. `made` is why a username was made; `detail` goes with the reason.
pub const BEGIN: &str = "
    begin;
    set local statement_timeout = 0;
    set local idle_in_transaction_session_timeout = 0;
    set local timezone = 'UTC';
    -- An import that is killed lets go at once, where PostgreSQL knows how (14 and later).
    do $$ begin perform set_config('client_connection_check_interval', '1s', true); exception when others then null; end $$;
    create temporary table import_lines (
        line bigint not null, id uuid, username text, made text, shown text, email text, pending_email text,
        password_hash text, foreign_hash_kib integer, slower boolean, format text, created_at timestamptz,
        email_verified_at timestamptz, disabled_at timestamptz, banned_until timestamptz, last_login_at timestamptz,
        roles text[], field text, reason text, detail text
    ) on commit drop;
    create temporary table import_arriving (
        line bigint primary key, id uuid not null unique, username_key text unique, email_key text unique
    ) on commit drop;
    create temporary table import_names (
        key text primary key, line bigint not null, name text not null
    ) on commit drop;
    create temporary table import_nameless (
        line bigint primary key, base text not null, number bigint not null
    ) on commit drop;
    create temporary table import_written (id uuid primary key) on commit drop;";

pub const COPY: &str = "
    copy import_lines (line, id, username, made, shown, email, pending_email, password_hash, foreign_hash_kib, slower,
        format, created_at, email_verified_at, disabled_at, banned_until, last_login_at, roles, field, reason)
    from stdin";

/// Those who are here already, and given names that somebody else here has.
pub const FIND_PRESENT: &str = "
    analyze import_lines;
    update import_lines line set reason = 'here' where reason is null
        and exists (select from users where users.id = line.id);
    update import_lines line set reason = 'here' where reason is null
        and exists (select from users where lower(users.email) = lower(line.email));
    update import_lines line set reason = 'here' where reason is null and email is null
        and exists (select from users where lower(users.username) = lower(line.username)
            and lower(users.pending_email) = lower(line.pending_email));
    update import_lines line set field = 'username', reason = 'username_taken' where reason is null and made is null
        and exists (select from users where lower(users.username) = lower(line.username));";

pub const REFUSE_MADE_NAMES: &str = "
    update import_lines set field = 'username', reason = made where reason is null and made is not null";

/// In the order of lines, and whoever shares an id, a name or an address with an earlier one is left out: `on conflict`
/// decides this row by row.
pub const ARRIVE: &str = "
    insert into import_arriving
    select line, coalesce(id, gen_random_uuid()), case when made is null then lower(username) end, lower(email)
    from import_lines where reason is null order by line
    on conflict do nothing;
    analyze import_arriving;";

pub const FIND_DUPLICATES: &str = "
    update import_lines line set field = 'email', reason = 'duplicate_email', shown = email, detail = first.line
        from import_arriving first
        where line.reason is null and first.email_key = lower(line.email) and first.line < line.line;
    update import_lines line set field = 'username', reason = 'duplicate_username', detail = first.line
        from import_arriving first
        where line.reason is null and line.made is null and first.username_key = lower(line.username)
            and first.line < line.line;
    update import_lines line set field = 'id', reason = 'duplicate_id', detail = first.line
        from import_arriving first
        where line.reason is null and first.id = line.id and first.line < line.line;";

/// One writer at a time: two that write the same people in another order would wait for each other. "lkimport" in ASCII.
pub const LOCK: &str = "select pg_advisory_xact_lock(7812453897362961012)";

/// Nobody has a session yet of which an instance would have to forget the roles, so what the trigger of `user_roles`
/// announces about these users is taken back.
pub const WRITE: &str = "
    with written as (
        insert into users (id, username, email, pending_email, password_hash, foreign_hash_kib, created_at,
            email_verified_at, disabled_at, last_login_at)
        select arriving.id, coalesce(nullif(names.name, ''), lines.username), email, pending_email, password_hash,
            foreign_hash_kib, coalesce(created_at, now()), email_verified_at,
            coalesce(disabled_at, case when banned_until > now() then now() end), last_login_at
        from import_arriving arriving
            join import_lines lines using (line)
            left join import_names names using (line)
        order by line
        on conflict do nothing
        returning id
    )
    insert into import_written select id from written;
    insert into user_roles (user_id, role, area)
        select arriving.id, split_part(role, ':', 1), split_part(role, ':', 2)
        from import_written
            join import_arriving arriving using (id)
            join import_lines lines using (line), unnest(lines.roles) as role;
    delete from announcements using import_written where message = 'u' || import_written.id;
    update import_lines line set reason = 'registered_meanwhile', shown = coalesce(email, line.username)
        from import_arriving arriving
        where arriving.line = line.line and not exists (
            select from import_written written where written.id = arriving.id);";
