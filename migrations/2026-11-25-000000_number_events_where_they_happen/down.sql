drop index security_events_user_id_idx;
alter table security_events drop column count;
alter table security_events drop constraint security_events_pkey;
alter table security_events drop column id;
alter table security_events add column id bigint not null generated always as identity;
alter table security_events add constraint security_events_pkey primary key (id);
create index security_events_user_id_idx on security_events (user_id, id);
