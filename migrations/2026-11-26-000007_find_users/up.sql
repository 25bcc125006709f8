-- For administrators, who look for users by the beginning of a name or an address, and page through them. Prefixes need
-- the order of bytes, whatever the database's collation is.
create index users_username_prefix_idx on users ((lower(username) collate "C"));
create index users_email_prefix_idx on users ((lower(email) collate "C"));
create index users_created_at_idx on users (created_at, id);
create index users_disabled_idx on users (created_at, id) where disabled_at is not null;
create index users_unverified_idx on users (created_at, id) where email_verified_at is null;
create index security_events_kind_idx on security_events (kind, created_at, id);
