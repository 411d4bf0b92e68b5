-- What is read sealed only: a row requires it, no row does not. The vault is part of the key of a secret's place, as
-- everywhere, so that no setting crosses vaults.
create table if not exists sealed_vaults (
  vault_id text collate "C" primary key,
  created_by text not null,
  created_at timestamptz not null
);
create table if not exists sealed_secrets (
  secret_id text collate "C" primary key,
  project_id text collate "C" not null,
  vault_id text not null,
  created_by text not null,
  created_at timestamptz not null,
  foreign key (secret_id, project_id, vault_id) references secrets (secret_id, project_id, vault_id)
);
create index if not exists sealed_secrets_by_vault on sealed_secrets (vault_id, secret_id);
grant select, insert, delete on sealed_vaults, sealed_secrets to sallyport_policy;
