create table tokens (
    id         uuid        not null,
    kind       text        not null,
    user_id    uuid        not null,
    token_hash bytea       not null,
    email      text        not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    constraint tokens_pkey primary key (id),
    constraint tokens_token_hash_key unique (token_hash),
    constraint tokens_token_hash_check check (octet_length(token_hash) = 32),
    constraint tokens_kind_check check (kind in ('reset', 'verify', 'change', 'invitation', 'not_me')),
    constraint tokens_user_id_fkey foreign key (user_id) references users (id) on delete cascade
);

-- The newest link counts. A not-me link stays beside others, because each belongs to a change of its own.
create unique index tokens_user_id_kind_key on tokens (user_id, kind) where kind <> 'not_me';
create index tokens_user_id_idx on tokens (user_id);
create index tokens_expires_at_idx on tokens (expires_at);

comment on table tokens is 'links in mails that nobody has used yet; each works once';
comment on column tokens.id is 'the mail that carries it';
comment on column tokens.token_hash is 'SHA-256 of the token; the token itself is stored nowhere';
comment on column tokens.email is 'where the link was sent';
comment on column tokens.created_at is 'when its mail was asked for';

-- A new password and a disabling end every link but those that only verify and those that take a change back.
create or replace function end_sessions_of_user() returns trigger language plpgsql as $$
begin
    delete from sessions where user_id = new.id;
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
