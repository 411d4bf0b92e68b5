-- Which projects and secrets exist, by id only. Ids sort bytewise, so that a page token means the same everywhere.
create table if not exists projects (
  project_id text collate "C" primary key,
  vault_id text not null,
  created_at timestamptz not null default now(),
  unique (project_id, vault_id)
);

-- The foreign key makes a secret of one vault in a project of another impossible to store.
create table if not exists secrets (
  secret_id text collate "C" primary key,
  project_id text collate "C" not null,
  vault_id text not null,
  created_at timestamptz not null default now(),
  unique (secret_id, project_id, vault_id),
  foreign key (project_id, vault_id) references projects (project_id, vault_id)
);
