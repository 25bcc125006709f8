drop index security_events_actor_id_idx;
alter table security_events drop constraint security_events_actor_id_fkey;
alter table security_events drop column details;
alter table security_events drop column actor_id;
