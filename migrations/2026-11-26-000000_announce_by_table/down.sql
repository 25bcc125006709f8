drop trigger users_changed on users;
create trigger users_changed after update on users
    for each row
    when ((old.username, old.email, old.email_verified_at, old.last_login_at, old.disabled_at)
            is distinct from
          (new.username, new.email, new.email_verified_at, new.last_login_at, new.disabled_at))
    execute function announce_changed_user();

create or replace function announce_ended_sessions() returns trigger language plpgsql as $$
begin
    if (select count(*) from (select from ended where expires_at > now() limit 1001) as first) > 1000 then
        perform pg_notify('latchkey', '*');
    else
        perform pg_notify('latchkey', 's' || encode(key_hash, 'hex')) from ended where expires_at > now();
    end if;
    return null;
end
$$;

create or replace function announce_changed_session() returns trigger language plpgsql as $$
begin
    perform pg_notify('latchkey', 's' || encode(old.key_hash, 'hex'));
    return null;
end
$$;

create or replace function announce_everything() returns trigger language plpgsql as $$
begin
    perform pg_notify('latchkey', '*');
    return null;
end
$$;

create or replace function announce_changed_user() returns trigger language plpgsql as $$
begin
    perform pg_notify('latchkey', 'u' || old.id);
    return null;
end
$$;

drop function announce();
drop table announcements;
