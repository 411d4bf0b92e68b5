create table if not exists secrets (
  secret_id text collate "C" not null,
  project_id text collate "C" not null,
  vault_id text not null,
  name text collate "C" not null,
  current_version integer not null check (current_version >= 1),
  created_by text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  constraint secrets_id primary key (secret_id),
  constraint secrets_name unique (project_id, name),
  unique (secret_id, project_id),
  foreign key (project_id, vault_id) references projects (project_id, vault_id)
);

-- One sealed envelope for each version; what it holds opens nowhere but in crypto.
create table if not exists versions (
  secret_id text collate "C" not null,
  version integer not null check (version >= 1),
  project_id text collate "C" not null,
  key_generation integer not null,
  envelope bytea not null,
  kind smallint not null,
  field_names text[] not null,
  created_by text not null,
  created_at timestamptz not null,
  primary key (secret_id, version),
  foreign key (secret_id, project_id) references secrets (secret_id, project_id),
  foreign key (project_id, key_generation) references project_keys (project_id, generation)
);
