-- Names sort bytewise, so that a page token means the same everywhere.
create table if not exists projects (
  project_id text collate "C" primary key,
  vault_id text not null,
  name text collate "C" not null,
  created_by text not null,
  created_at timestamptz not null,
  constraint projects_name unique (vault_id, name),
  unique (project_id, vault_id)
);

-- A project key, wrapped by the KEK that only crypto holds. Old generations stay: versions name the one they need.
create table if not exists project_keys (
  project_id text collate "C" not null references projects (project_id),
  generation integer not null check (generation >= 1),
  wrapped_key bytea not null,
  created_at timestamptz not null default now(),
  primary key (project_id, generation)
);
