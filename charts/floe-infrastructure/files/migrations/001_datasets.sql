-- Published datasets and their owners.
create table floe.dataset (
    name text primary key check (name ~ '^[a-z][a-z0-9_]{0,62}\.[a-z][a-z0-9_]{0,62}$'),
    owner text not null,
    created_at timestamptz not null default clock_timestamp()
);
