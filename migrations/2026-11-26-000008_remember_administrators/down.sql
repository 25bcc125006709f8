comment on column security_events.actor_id is 'who did it, if not the user';

drop index security_events_deleted_idx;

update security_events set actor_id = null
where actor_id is not null and not exists (select from users where users.id = actor_id);
alter table security_events add constraint security_events_actor_id_fkey
    foreign key (actor_id) references users (id) on delete set null;
