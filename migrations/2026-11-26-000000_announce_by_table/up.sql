-- A transaction that calls pg_notify holds a lock on the whole database until its commit is on disk, so announcing
-- changes that way lets only one login or logout commit at a time. The triggers write rows instead, and a task of each
-- instance turns rows into notifications, in short transactions of its own.
--
-- Unlogged: after a crash the rows are gone, but then every listener has lost its connection and has emptied its cache.
create unlogged table announcements (
    message text not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

comment on table announcements is 'changes of sessions and users that no instance has announced yet';

-- The triggers work for every role that may change sessions or users.
create or replace function announce_ended_sessions() returns trigger
language plpgsql security definer set search_path from current as $$
begin
    if (select count(*) from (select from ended where expires_at > now() limit 1001) as first) > 1000 then
        insert into announcements values ('*');
    else
        insert into announcements select 's' || encode(key_hash, 'hex') from ended where expires_at > now();
    end if;
    return null;
end
$$;

create or replace function announce_changed_session() returns trigger
language plpgsql security definer set search_path from current as $$
begin
    insert into announcements values ('s' || encode(old.key_hash, 'hex'));
    return null;
end
$$;

create or replace function announce_everything() returns trigger
language plpgsql security definer set search_path from current as $$
begin
    insert into announcements values ('*');
    return null;
end
$$;

create or replace function announce_changed_user() returns trigger
language plpgsql security definer set search_path from current as $$
begin
    insert into announcements values ('u' || old.id);
    return null;
end
$$;

-- Announces up to 1000 changes and returns how many. Nothing depends on this commit being on disk: if it is lost, the
-- rows are announced again.
create function announce() returns bigint language plpgsql as $$
declare
    announced bigint;
begin
    perform set_config('synchronous_commit', 'off', true);
    with taken as (
        delete from announcements
        where ctid = any (array(select ctid from announcements limit 1000 for update skip locked))
        returning message
    )
    select count(*) into announced from taken, lateral pg_notify('latchkey', message);
    return announced;
end
$$;

-- A login announces nothing: what other instances show of last_login_at may be a minute old.
drop trigger users_changed on users;
create trigger users_changed after update on users
    for each row
    when ((old.username, old.email, old.email_verified_at, old.disabled_at)
            is distinct from
          (new.username, new.email, new.email_verified_at, new.disabled_at))
    execute function announce_changed_user();
