create table users (
    id                uuid        not null default gen_random_uuid(),
    username          text        not null,
    email             text        not null,
    email_verified_at timestamptz,
    password_hash     text        not null,
    rehashed_at       timestamptz,
    created_at        timestamptz not null default now(),
    last_login_at     timestamptz,
    disabled_at       timestamptz,
    constraint users_pkey primary key (id),
    constraint users_username_check check (username ~ '^[A-Za-z0-9._-]{3,32}$'),
    constraint users_email_check check (octet_length(email) between 3 and 254)
);

-- Uniqueness without regard to case is decided here and nowhere else; the names become field errors.
create unique index users_username_key on users (lower(username));
create unique index users_email_key on users (lower(email));

comment on column users.password_hash is 'PHC string, argon2id';
comment on column users.rehashed_at is
    'set together with password_hash when only the parameters were raised; any other change of password_hash is a new password';
comment on column users.disabled_at is 'set: nobody can log in as this user';
