create table rate_limits (
    bucket  bytea       not null,
    full_at timestamptz not null,
    each    interval    not null,
    whole   interval    not null,
    constraint rate_limits_pkey primary key (bucket)
);

create index rate_limits_full_at_idx on rate_limits (full_at);

comment on table rate_limits is 'GCRA: a row for each bucket from which something was taken; one that is full again means nothing';
comment on column rate_limits.bucket is 'SHA-256 of what is limited and for whom';
comment on column rate_limits.full_at is 'when the bucket is full again: the theoretical arrival time';
comment on column rate_limits.each is 'time in which one token comes back';
comment on column rate_limits.whole is 'time in which the empty bucket fills';
