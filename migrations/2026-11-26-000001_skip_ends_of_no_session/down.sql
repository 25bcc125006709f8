create or replace function announce_ended_sessions() returns trigger
language plpgsql security definer set search_path from current as $$
begin
    if (select count(*) from (select from ended where expires_at > now() limit 1001) as first) > 1000 then
        insert into announcements values ('*');
    else
        insert into announcements select 's' || encode(key_hash, 'hex') from ended where expires_at > now();
    end if;
    return null;
end
$$;
