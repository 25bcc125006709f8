create table user_roles (
    user_id    uuid        not null,
    role       text        not null,
    area       text        not null default '',
    full_name  text        not null collate "C"
        generated always as (role || case area when '' then '' else ':' || area end) stored,
    granted_by uuid,
    created_at timestamptz not null default now(),
    constraint user_roles_pkey primary key (user_id, role, area),
    constraint user_roles_user_id_fkey foreign key (user_id) references users (id) on delete cascade,
    constraint user_roles_granted_by_fkey foreign key (granted_by) references users (id) on delete set null,
    constraint user_roles_role_check check (role ~ '^[a-z][a-z0-9_-]{0,31}$' and role <> 'user'),
    constraint user_roles_area_check check (
        area = ''
        or role <> 'admin'
            and area ~ '^[a-z0-9._-]{1,32}(/[a-z0-9._-]{1,32}){0,3}$'
            and '/' || area || '/' !~ '/\.\.?/'),
    constraint user_roles_full_name_check check (length(full_name) <= 96)
);

create index user_roles_role_idx on user_roles (role, area);
create index user_roles_granted_by_idx on user_roles (granted_by) where granted_by is not null;

comment on table user_roles is 'who may do what; a role without an area covers every area';
comment on column user_roles.role is 'names are free; admin opens /api/admin, and user means anybody who is logged in';
comment on column user_roles.area is 'a path: a grant for media covers media/7, not mediathek';

create function announce_changed_role() returns trigger
language plpgsql security definer set search_path from current as $$
begin
    if tg_op <> 'INSERT' then
        insert into announcements values ('u' || old.user_id);
    end if;
    if tg_op <> 'DELETE' then
        insert into announcements values ('u' || new.user_id);
    end if;
    return null;
end
$$;

create trigger user_roles_changed after insert or update or delete on user_roles
    for each row execute function announce_changed_role();

create trigger user_roles_truncated after truncate on user_roles
    for each statement execute function announce_everything();
