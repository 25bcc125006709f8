create or replace function end_sessions_of_user() returns trigger language plpgsql as $$
begin
    delete from sessions where user_id = new.id;
    delete from known_networks where user_id = new.id;
    return null;
end
$$;

drop table tokens;
