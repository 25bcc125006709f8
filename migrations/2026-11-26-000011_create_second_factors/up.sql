create table login_steps (
    key_hash    bytea       not null,
    kind        text        not null,
    user_id     uuid,
    methods     text[]      not null default '{}',
    remembered  boolean     not null,
    redirect_to text,
    email       text,
    identity    jsonb,
    tries_left  smallint    not null default 5,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null,
    constraint login_steps_pkey primary key (key_hash),
    constraint login_steps_key_hash_check check (octet_length(key_hash) = 32),
    constraint login_steps_kind_check check (kind in ('second_factor', 'email_code', 'choose_username')),
    constraint login_steps_tries_left_check check (tries_left >= 0),
    constraint login_steps_user_id_fkey foreign key (user_id) references users (id) on delete cascade
);

create index login_steps_user_id_idx on login_steps (user_id);
create index login_steps_expires_at_idx on login_steps (expires_at);

comment on table login_steps is 'logins that are not finished; each opens at most one session';
comment on column login_steps.key_hash is 'SHA-256 of the key in the cookie; the key itself is stored nowhere';
comment on column login_steps.methods is 'with what the user has proven who they are so far';
comment on column login_steps.redirect_to is 'where the login leads; a path of this site';

create table totp_secrets (
    user_id      uuid        not null,
    secret       bytea       not null,
    created_at   timestamptz not null default now(),
    confirmed_at timestamptz,
    last_step    bigint      not null default 0,
    constraint totp_secrets_pkey primary key (user_id),
    constraint totp_secrets_user_id_fkey foreign key (user_id) references users (id) on delete cascade
);

comment on table totp_secrets is 'authenticator apps (RFC 6238), one a user';
comment on column totp_secrets.secret is 'AES-256-GCM under a key that derives from LATCHKEY_SECRET_KEY, bound to the user';
comment on column totp_secrets.confirmed_at is 'null: nobody has shown a code yet, so no login asks for one';
comment on column totp_secrets.last_step is 'the time step of the last code that was good: it and earlier ones are void';

create table recovery_sets (
    user_id    uuid        not null,
    salt       bytea       not null,
    params     text        not null,
    created_at timestamptz not null default now(),
    constraint recovery_sets_pkey primary key (user_id),
    constraint recovery_sets_salt_check check (octet_length(salt) = 16),
    constraint recovery_sets_user_id_fkey foreign key (user_id) references users (id) on delete cascade
);

create table recovery_codes (
    user_id    uuid        not null,
    code_hash  bytea       not null,
    created_at timestamptz not null default now(),
    constraint recovery_codes_pkey primary key (user_id, code_hash),
    constraint recovery_codes_code_hash_check check (octet_length(code_hash) = 32),
    constraint recovery_codes_user_id_fkey foreign key (user_id) references recovery_sets (user_id) on delete cascade
);

comment on table recovery_sets is 'the codes of a user share a salt, so that a try costs one hash';
comment on column recovery_sets.params is 'of argon2id, as in a PHC string';
comment on table recovery_codes is 'codes that have not been used yet; a used one is deleted';
comment on column recovery_codes.code_hash is 'argon2id';

create table trusted_devices (
    id           uuid        not null,
    user_id      uuid        not null,
    user_agent   text,
    ip           inet,
    created_at   timestamptz not null default now(),
    last_used_at timestamptz not null default now(),
    expires_at   timestamptz not null,
    constraint trusted_devices_pkey primary key (id),
    constraint trusted_devices_user_id_fkey foreign key (user_id) references users (id) on delete cascade
);

create index trusted_devices_user_id_idx on trusted_devices (user_id);
create index trusted_devices_expires_at_idx on trusted_devices (expires_at);

comment on table trusted_devices is 'browsers in which a login needs no second factor';
comment on column trusted_devices.id is 'the id in the device cookie';

-- A new password and a disabling also end unfinished logins and the trust in browsers.
create or replace function end_sessions_of_user() returns trigger language plpgsql as $$
begin
    delete from sessions where user_id = new.id;
    delete from login_steps where user_id = new.id;
    delete from trusted_devices where user_id = new.id;
    delete from known_networks where user_id = new.id;
    -- Links whose mails wait to be sent, too. What an instance is sending right now is locked, and its token exists.
    delete from mails where id in (
        select id from mails
        where kind in ('reset_password', 'password_tried', 'invitation')
            and (user_id = new.id or user_id is null and lower(address) in (lower(new.email), lower(new.pending_email)))
        for update skip locked
    );
    delete from tokens where user_id = new.id and kind in ('reset', 'change', 'invitation');
    return null;
end
$$;
