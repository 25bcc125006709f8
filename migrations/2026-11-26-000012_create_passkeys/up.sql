create table passkeys (
    id              uuid        not null default gen_random_uuid(),
    user_id         uuid        not null,
    credential_id   bytea       not null,
    public_key      jsonb       not null,
    sign_count      bigint      not null,
    aaguid          uuid,
    transports      text[]      not null default '{}',
    backup_eligible boolean     not null,
    backed_up       boolean     not null,
    rp_id           text        not null,
    name            text        not null,
    created_at      timestamptz not null default now(),
    last_used_at    timestamptz,
    constraint passkeys_pkey primary key (id),
    constraint passkeys_credential_id_key unique (credential_id),
    constraint passkeys_user_id_fkey foreign key (user_id) references users (id) on delete cascade,
    constraint passkeys_credential_id_check check (octet_length(credential_id) between 1 and 1023),
    constraint passkeys_sign_count_check check (sign_count between 0 and 4294967295),
    constraint passkeys_name_check check (char_length(name) between 1 and 64)
);

create index passkeys_user_id_idx on passkeys (user_id);

comment on table passkeys is 'public keys whose other half a device of the user has';
comment on column passkeys.credential_id is 'by which the device finds the key; at most 1023 bytes (WebAuthn 4)';
comment on column passkeys.public_key is 'a COSE key, as webauthn-rs writes it';
comment on column passkeys.sign_count is 'how often the device says it has signed; always 0 if it does not count';
comment on column passkeys.aaguid is 'the model of the device, as it says itself; null if it does not';
comment on column passkeys.backed_up is 'copies are with the provider of the device, who syncs them';
comment on column passkeys.rp_id is 'the domain that it belongs to; under another one browsers do not offer it';

-- After a crash people begin again.
create unlogged table challenges (
    challenge_hash bytea       not null,
    purpose        text        not null,
    user_id        uuid,
    session_id     uuid,
    step_key_hash  bytea,
    state          jsonb       not null,
    created_at     timestamptz not null default now(),
    expires_at     timestamptz not null,
    constraint challenges_pkey primary key (challenge_hash),
    constraint challenges_user_id_fkey foreign key (user_id) references users (id) on delete cascade,
    constraint challenges_challenge_hash_check check (octet_length(challenge_hash) = 32),
    constraint challenges_purpose_check check (purpose in ('registration', 'login', 'second_factor', 'reauthentication'))
);

create index challenges_user_id_idx on challenges (user_id) where user_id is not null;
create index challenges_expires_at_idx on challenges (expires_at);

comment on table challenges is 'what devices have been asked to sign and nobody has sent back yet; each is good for one try';
comment on column challenges.user_id is 'null: whoever the passkey belongs to';
comment on column challenges.session_id is 'the session that asked, and alone may answer';
comment on column challenges.step_key_hash is 'the unfinished login that asked, and alone may answer';
