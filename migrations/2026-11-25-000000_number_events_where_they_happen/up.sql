-- An event gets its number where it happens, so that writing it twice leaves one row. Rows that are here keep their
-- order: their time and their old number, in the form of a UUIDv7 (RFC 9562 5.7).
drop index security_events_user_id_idx;
alter table security_events alter column id drop identity;
alter table security_events alter column id type uuid using (
    lpad(to_hex((extract(epoch from created_at) * 1000)::bigint), 12, '0') || '70008' || lpad(to_hex(id), 15, '0'))::uuid;
alter table security_events alter column id set default gen_random_uuid();
alter table security_events add column count integer not null default 1;
alter table security_events add constraint security_events_count_check check (count > 0);
create index security_events_user_id_idx on security_events (user_id, created_at, id);

comment on column security_events.id is 'UUIDv7, made where the event happened';
comment on column security_events.created_at is 'when it happened, by the database''s clock';
comment on column security_events.count is 'how often: more than once for limit_hit, of which there is one row a minute for each bucket';
