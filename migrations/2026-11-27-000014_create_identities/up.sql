create table identities (
    id             uuid        not null default gen_random_uuid(),
    user_id        uuid        not null,
    issuer         text        not null,
    subject        text        not null,
    provider       text        not null,
    email          text,
    address_proven boolean     not null,
    created_at     timestamptz not null default now(),
    last_used_at   timestamptz,
    constraint identities_pkey primary key (id),
    constraint identities_issuer_subject_key unique (issuer, subject),
    constraint identities_user_id_fkey foreign key (user_id) references users (id) on delete cascade,
    constraint identities_subject_check check (octet_length(subject) between 1 and 255)
);

create index identities_user_id_idx on identities (user_id);

comment on table identities is 'accounts at providers (OpenID Connect) with which users log in here';
comment on column identities.subject is 'who somebody is at the issuer, for ever; an address or a name there may change hands';
comment on column identities.provider is 'the name of the issuer in the settings when this was added';
comment on column identities.email is 'what the provider said then; only for people to recognize it';
comment on column identities.address_proven is 'false: it registered with an address that nobody had proven yet';

-- After a crash people begin again.
create unlogged table oidc_flows (
    state_hash   bytea       not null,
    browser_hash bytea       not null,
    provider     text        not null,
    intent       text        not null,
    session_id   uuid,
    nonce        text        not null,
    verifier     text        not null,
    redirect_to  text,
    remembered   boolean     not null,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz not null,
    constraint oidc_flows_pkey primary key (state_hash),
    constraint oidc_flows_state_hash_check check (octet_length(state_hash) = 32),
    constraint oidc_flows_browser_hash_check check (octet_length(browser_hash) = 32),
    constraint oidc_flows_intent_check check (intent in ('login', 'link', 'reauthenticate')),
    constraint oidc_flows_session_id_check check ((intent = 'login') = (session_id is null))
);

create index oidc_flows_expires_at_idx on oidc_flows (expires_at);

comment on table oidc_flows is 'people who are at a provider and have not come back yet; each is good for one return';
comment on column oidc_flows.state_hash is 'SHA-256 of the state in the URL; the state itself is stored nowhere';
comment on column oidc_flows.browser_hash is 'SHA-256 of the key in the cookie of the browser that may come back';
comment on column oidc_flows.session_id is 'the session that asked, and alone may come back';
comment on column oidc_flows.verifier is 'of PKCE (RFC 7636)';
