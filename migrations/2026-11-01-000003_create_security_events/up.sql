create table security_events (
    id          bigint      not null generated always as identity,
    created_at  timestamptz not null default now(),
    kind        text        not null,
    user_id     uuid,
    ip          inet        not null,
    user_agent  text,
    request_id  uuid        not null,
    constraint security_events_pkey primary key (id),
    constraint security_events_user_id_fkey foreign key (user_id) references users (id) on delete cascade
);

create index security_events_user_id_idx on security_events (user_id, id);
create index security_events_created_at_idx on security_events (created_at);

comment on table security_events is 'what happened to accounts; kept for 90 days';
comment on column security_events.user_id is 'null when nobody of that name exists';
