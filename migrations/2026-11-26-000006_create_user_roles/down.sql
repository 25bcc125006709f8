drop table user_roles;
drop function announce_changed_role();
drop function roles_of(uuid);
