-- What a browser was trusted with ends with the password: device cookies carry this number.
alter table users add column password_epoch integer not null default 0;

comment on column users.password_epoch is
    'one more with each new password and each disabling, whoever made the change; device cookies of before are void';

create function begin_password_epoch() returns trigger language plpgsql as $$
begin
    new.password_epoch := old.password_epoch + 1;
    return new;
end
$$;

create trigger users_epoch_begun before update on users
    for each row
    when (old.disabled_at is null and new.disabled_at is not null
          or old.password_hash is distinct from new.password_hash
             and old.rehashed_at is not distinct from new.rehashed_at)
    execute function begin_password_epoch();

-- What ends the sessions is a new epoch: the condition stands above alone.
drop trigger users_locked_out on users;
create trigger users_locked_out after update on users
    for each row
    when (old.password_epoch is distinct from new.password_epoch)
    execute function end_sessions_of_user();
