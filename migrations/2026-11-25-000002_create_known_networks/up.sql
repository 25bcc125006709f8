create table known_networks (
    user_id uuid        not null,
    network cidr        not null,
    seen_at timestamptz not null default now(),
    constraint known_networks_pkey primary key (user_id, network),
    constraint known_networks_user_id_fkey foreign key (user_id) references users (id) on delete cascade
);

create index known_networks_seen_at_idx on known_networks (seen_at);

comment on table known_networks is
    'from where a user logged in (IPv4 by /24, IPv6 by /64): strangers elsewhere cannot use up the tries from there; kept for 90 days';
comment on column known_networks.seen_at is 'the last login from there, to the day';

-- A new password and a disabling end this too: the intruder whom they shut out logged in from somewhere.
create or replace function end_sessions_of_user() returns trigger language plpgsql as $$
begin
    delete from sessions where user_id = new.id;
    delete from known_networks where user_id = new.id;
    return null;
end
$$;
