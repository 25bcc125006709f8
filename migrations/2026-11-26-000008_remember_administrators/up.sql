-- What an administrator did to others stays under their id when their own account is deleted, and so does the deletion
-- of somebody by an administrator, whose id is all that is kept of them.
alter table security_events drop constraint security_events_actor_id_fkey;

create index security_events_deleted_idx on security_events ((details->>'user_id')) where kind = 'deleted';

comment on column security_events.actor_id is 'who did it, if not the user; perhaps somebody who is not there any more';
