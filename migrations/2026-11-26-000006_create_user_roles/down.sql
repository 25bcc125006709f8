drop table user_roles;
drop function announce_changed_role();
