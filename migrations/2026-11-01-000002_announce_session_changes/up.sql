-- Every instance keeps sessions in memory and listens on this channel. Triggers rather than code announce what
-- changed, so that a plain delete or update in psql takes effect everywhere at once.
--   s<hex of key_hash>  this session changed or ended
--   u<user id>          this user changed
--   *                   too many to name: forget everything

create function announce_ended_sessions() returns trigger language plpgsql as $$
begin
    if (select count(*) from (select from ended where expires_at > now() limit 1001) as first) > 1000 then
        perform pg_notify('latchkey', '*');
    else
        perform pg_notify('latchkey', 's' || encode(key_hash, 'hex')) from ended where expires_at > now();
    end if;
    return null;
end
$$;

create function announce_changed_session() returns trigger language plpgsql as $$
begin
    perform pg_notify('latchkey', 's' || encode(old.key_hash, 'hex'));
    return null;
end
$$;

create function announce_everything() returns trigger language plpgsql as $$
begin
    perform pg_notify('latchkey', '*');
    return null;
end
$$;

create function announce_changed_user() returns trigger language plpgsql as $$
begin
    perform pg_notify('latchkey', 'u' || old.id);
    return null;
end
$$;

create function end_sessions_of_user() returns trigger language plpgsql as $$
begin
    delete from sessions where user_id = new.id;
    return null;
end
$$;

create trigger sessions_ended after delete on sessions
    referencing old table as ended
    for each statement execute function announce_ended_sessions();

create trigger sessions_truncated after truncate on sessions
    for each statement execute function announce_everything();

-- last_seen_at moves forward all the time and nobody needs to know; backwards is somebody's hand.
create trigger sessions_changed after update on sessions
    for each row
    when ((old.id, old.key_hash, old.user_id, old.remembered, old.created_at, old.authenticated_at, old.expires_at)
            is distinct from
          (new.id, new.key_hash, new.user_id, new.remembered, new.created_at, new.authenticated_at, new.expires_at)
          or new.last_seen_at < old.last_seen_at)
    execute function announce_changed_session();

create trigger users_changed after update on users
    for each row
    when ((old.username, old.email, old.email_verified_at, old.last_login_at, old.disabled_at)
            is distinct from
          (new.username, new.email, new.email_verified_at, new.last_login_at, new.disabled_at))
    execute function announce_changed_user();

create trigger users_deleted after delete on users
    for each row execute function announce_changed_user();

-- A disabled user and a new password end every session, whoever made the change.
create trigger users_locked_out after update on users
    for each row
    when (old.disabled_at is null and new.disabled_at is not null
          or old.password_hash is distinct from new.password_hash
             and old.rehashed_at is not distinct from new.rehashed_at)
    execute function end_sessions_of_user();
