drop trigger users_moved on users;
drop function forget_foreign_hash();
alter table users drop column foreign_hash_kib;
