alter table security_events add column actor_id uuid;
alter table security_events add column details jsonb;
alter table security_events add constraint security_events_actor_id_fkey
    foreign key (actor_id) references users (id) on delete set null;
create index security_events_actor_id_idx on security_events (actor_id) where actor_id is not null;

comment on column security_events.actor_id is 'who did it, if not the user';
comment on column security_events.details is 'what else there is to know; never a secret';
