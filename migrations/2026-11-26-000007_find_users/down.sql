drop index security_events_kind_idx;
drop index users_unverified_idx;
drop index users_disabled_idx;
drop index users_created_at_idx;
drop index users_email_prefix_idx;
drop index users_username_prefix_idx;
