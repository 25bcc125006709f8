drop trigger users_locked_out on users;
create trigger users_locked_out after update on users
    for each row
    when (old.disabled_at is null and new.disabled_at is not null
          or old.password_hash is distinct from new.password_hash
             and old.rehashed_at is not distinct from new.rehashed_at)
    execute function end_sessions_of_user();

drop trigger users_epoch_begun on users;
drop function begin_password_epoch();
alter table users drop column password_epoch;
