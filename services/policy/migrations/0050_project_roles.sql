-- What developers may do in single projects; vault_id is part of every key, so no role crosses vaults. Users are known to
-- identity alone.
create table if not exists project_roles (
  user_id text collate "C" not null,
  project_id text collate "C" not null,
  vault_id text not null,
  role text not null check (role in ('none', 'lister', 'writer', 'manager')),
  updated_by text not null,
  updated_at timestamptz not null,
  primary key (vault_id, user_id, project_id),
  foreign key (project_id, vault_id) references projects (project_id, vault_id)
);
create index if not exists project_roles_by_project on project_roles (vault_id, project_id, user_id);

-- Users who were removed: whatever is signed by one of them, or set for one of them, is refused for good.
create table if not exists ended_users (
  user_id text collate "C" not null,
  vault_id text not null,
  ended_at timestamptz not null default now(),
  primary key (vault_id, user_id)
);
grant select, insert, delete on project_roles to sallyport_policy;
grant update (role, updated_by, updated_at) on project_roles to sallyport_policy;
grant select, insert on ended_users to sallyport_policy;
