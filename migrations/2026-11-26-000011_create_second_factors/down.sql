create or replace function end_sessions_of_user() returns trigger language plpgsql as $$
begin
    delete from sessions where user_id = new.id;
    delete from known_networks where user_id = new.id;
    -- Links whose mails wait to be sent, too. What an instance is sending right now is locked, and its token exists.
    delete from mails where id in (
        select id from mails
        where kind in ('reset_password', 'password_tried', 'invitation')
            and (user_id = new.id or user_id is null and lower(address) in (lower(new.email), lower(new.pending_email)))
        for update skip locked
    );
    delete from tokens where user_id = new.id and kind in ('reset', 'change', 'invitation');
    return null;
end
$$;

drop table trusted_devices;
drop table recovery_codes;
drop table recovery_sets;
drop table totp_secrets;
drop table login_steps;
