create table notes (
    id bigint generated always as identity primary key,
    user_id uuid not null references users on delete cascade,
    text text not null
);
create index notes_user_id on notes (user_id);
