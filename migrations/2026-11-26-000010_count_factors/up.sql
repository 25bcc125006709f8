alter table sessions add column methods text[] not null default '{password}';
alter table sessions add column factors smallint not null default 1;
alter table sessions add constraint sessions_factors_check check (factors in (1, 2));

comment on column sessions.authenticated_at is 'when the user last proved who they are in this session';
comment on column sessions.methods is 'with what they did';
comment on column sessions.factors is 'how many factors those were';

drop trigger sessions_changed on sessions;
create trigger sessions_changed after update on sessions
    for each row
    when ((old.id, old.key_hash, old.user_id, old.remembered, old.created_at, old.authenticated_at, old.expires_at,
           old.methods, old.factors)
            is distinct from
          (new.id, new.key_hash, new.user_id, new.remembered, new.created_at, new.authenticated_at, new.expires_at,
           new.methods, new.factors)
          or new.last_seen_at < old.last_seen_at)
    execute function announce_changed_session();

alter table users add column second_factor_required boolean not null default false;

comment on column users.second_factor_required is 'no proof of one factor alone lets this user in';

drop trigger users_changed on users;
create trigger users_changed after update on users
    for each row
    when ((old.username, old.email, old.email_verified_at, old.disabled_at, old.second_factor_required)
            is distinct from
          (new.username, new.email, new.email_verified_at, new.disabled_at, new.second_factor_required))
    execute function announce_changed_user();
