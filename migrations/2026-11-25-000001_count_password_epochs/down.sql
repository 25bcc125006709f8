drop trigger users_epoch_begun on users;
drop function begin_password_epoch();
alter table users drop column password_epoch;
