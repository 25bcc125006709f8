create or replace function begin_password_epoch() returns trigger language plpgsql as $$
begin
    new.password_epoch := old.password_epoch + 1;
    return new;
end
$$;

-- Accounts that the old schema cannot hold.
delete from users where email is null or password_hash is null;
drop index users_unproven_idx;
drop index users_pending_email_idx;
alter table users drop constraint users_locale_check;
alter table users drop constraint users_email_verified_check;
alter table users drop constraint users_pending_email_check;
alter table users drop column locale;
alter table users drop column pending_email;
alter table users alter column password_hash set not null;
alter table users alter column email set not null;
comment on column users.email is null;
comment on column users.password_hash is 'PHC string, argon2id';
