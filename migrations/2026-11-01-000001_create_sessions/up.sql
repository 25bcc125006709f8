create table sessions (
    id               uuid        not null default gen_random_uuid(),
    key_hash         bytea       not null,
    user_id          uuid        not null,
    remembered       boolean     not null,
    ip               inet,
    user_agent       text,
    created_at       timestamptz not null default now(),
    authenticated_at timestamptz not null default now(),
    last_seen_at     timestamptz not null default now(),
    expires_at       timestamptz not null,
    constraint sessions_pkey primary key (id),
    constraint sessions_key_hash_key unique (key_hash),
    constraint sessions_key_hash_check check (octet_length(key_hash) = 32),
    constraint sessions_user_id_fkey foreign key (user_id) references users (id) on delete cascade
);

create index sessions_user_id_idx on sessions (user_id, created_at);
create index sessions_expires_at_idx on sessions (expires_at);

comment on column sessions.id is 'public name of the session, shown to its user; says nothing about the key';
comment on column sessions.key_hash is 'SHA-256 of the key in the cookie; the key itself is stored nowhere';
comment on column sessions.authenticated_at is 'when the password was last given in this session';
comment on column sessions.last_seen_at is 'written in batches, at most once a minute';
comment on column sessions.expires_at is 'absolute end; a session that is not remembered also ends after a time without use';
