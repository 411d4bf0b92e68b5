-- vault_id is part of every key here: neither a membership nor a grant that crosses vaults can be stored.
create table if not exists memberships (
  machine_id text collate "C" not null,
  project_id text collate "C" not null,
  vault_id text not null,
  created_by text not null,
  created_at timestamptz not null,
  primary key (machine_id, project_id),
  foreign key (machine_id, vault_id) references principals (machine_id, vault_id),
  foreign key (project_id, vault_id) references projects (project_id, vault_id)
);
create index if not exists memberships_by_project on memberships (project_id, machine_id);

-- A grant lives and dies with the membership in the secret's project.
create table if not exists grants (
  machine_id text collate "C" not null,
  secret_id text collate "C" not null,
  project_id text collate "C" not null,
  vault_id text not null,
  created_by text not null,
  created_at timestamptz not null,
  primary key (machine_id, secret_id),
  foreign key (machine_id, project_id) references memberships (machine_id, project_id) on delete cascade,
  foreign key (secret_id, project_id, vault_id) references secrets (secret_id, project_id, vault_id)
);
create index if not exists grants_by_secret on grants (secret_id, machine_id);
create index if not exists grants_by_membership on grants (machine_id, project_id);
