-- Names that machines had before, and who gave them another.
create table if not exists machine_names (
  change_id bigint generated always as identity primary key,
  machine_id text collate "C" not null references machines (machine_id),
  name text not null,
  until timestamptz not null,
  changed_by text collate "C" not null references users (user_id)
);
create index if not exists machine_names_newest on machine_names (machine_id, change_id desc);
grant select, insert on machine_names to sallyport_identity;
grant update (name) on machines to sallyport_identity;
