-- With LATCHKEY_REQUIRE_VERIFIED_EMAIL nobody holds an address before they have proven it, so registering tells nobody
-- whether an address is taken.
alter table users alter column email drop not null;
-- People who were invited, and those who said that a change was not theirs, have no password.
alter table users alter column password_hash drop not null;
alter table users add column pending_email text;
alter table users add column locale text;
alter table users add constraint users_pending_email_check check (octet_length(pending_email) between 3 and 254);
alter table users add constraint users_email_verified_check check (email_verified_at is null or email is not null);
alter table users add constraint users_locale_check check (locale ~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$' and octet_length(locale) <= 35);

create index users_pending_email_idx on users (lower(pending_email)) where pending_email is not null;
create index users_unproven_idx on users (created_at) where email is null;

comment on column users.email is 'null until a first address is proven, where that is required';
comment on column users.password_hash is 'PHC string, argon2id; null: no password opens this account';
comment on column users.pending_email is 'the address that this user asked for and has not proven yet; several may ask for the same one';
comment on column users.locale is 'the language of this user''s mails, a BCP 47 tag';

-- Whoever a new password shuts out must not get the account back through an address that they asked for.
create or replace function begin_password_epoch() returns trigger language plpgsql as $$
begin
    new.password_epoch := old.password_epoch + 1;
    if new.email is not null then
        new.pending_email := null;
    end if;
    return new;
end
$$;
