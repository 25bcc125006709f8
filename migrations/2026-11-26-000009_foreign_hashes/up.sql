alter table users add column foreign_hash_kib integer;
alter table users add constraint users_foreign_hash_kib_check check (
    foreign_hash_kib is null or foreign_hash_kib >= 0 and password_hash is not null);
create index users_foreign_hash_kib_idx on users (foreign_hash_kib) where foreign_hash_kib is not null;

comment on column users.foreign_hash_kib is
    'if another system made the hash: the memory that checking it takes; null from the first login, which replaces it';

create function forget_foreign_hash() returns trigger language plpgsql as $$
begin
    new.foreign_hash_kib := null;
    return new;
end
$$;

create trigger users_moved before update on users for each row
    when (old.foreign_hash_kib is not null and old.password_hash is distinct from new.password_hash)
    execute function forget_foreign_hash();
