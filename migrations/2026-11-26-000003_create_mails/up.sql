create table mails (
    id            uuid        not null,
    kind          text        not null,
    user_id       uuid,
    address       text        not null,
    locale        text,
    facts         jsonb       not null default '{}',
    created_at    timestamptz not null default now(),
    due_at        timestamptz not null default now(),
    claimed_until timestamptz,
    tries         integer     not null default 0,
    last_error    text,
    constraint mails_pkey primary key (id),
    constraint mails_user_id_fkey foreign key (user_id) references users (id) on delete cascade,
    constraint mails_address_check check (octet_length(address) between 3 and 254)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

create index mails_due_at_idx on mails (due_at);
create index mails_user_id_idx on mails (user_id);

comment on table mails is 'the outbox: mails that no server has taken yet; it holds no token';
comment on column mails.id is 'the Message-ID and, with the secret key, the token derive from it, so that a repetition is the same mail';
comment on column mails.user_id is 'null: whoever has the address';
comment on column mails.address is 'without a user_id as somebody typed it: the mail goes to the address as it is stored with the user';
comment on column mails.claimed_until is 'an instance is sending it; if that instance dies, another takes over then';
