drop trigger users_changed on users;
create trigger users_changed after update on users
    for each row
    when ((old.username, old.email, old.email_verified_at, old.disabled_at)
            is distinct from
          (new.username, new.email, new.email_verified_at, new.disabled_at))
    execute function announce_changed_user();

alter table users drop column second_factor_required;

drop trigger sessions_changed on sessions;
create trigger sessions_changed after update on sessions
    for each row
    when ((old.id, old.key_hash, old.user_id, old.remembered, old.created_at, old.authenticated_at, old.expires_at)
            is distinct from
          (new.id, new.key_hash, new.user_id, new.remembered, new.created_at, new.authenticated_at, new.expires_at)
          or new.last_seen_at < old.last_seen_at)
    execute function announce_changed_session();

alter table sessions drop column methods;
alter table sessions drop column factors;

comment on column sessions.authenticated_at is 'when the password was last given in this session';
