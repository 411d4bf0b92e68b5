-- A vault is a tenant. Ids sort bytewise, so that a page token means the same everywhere.
create table if not exists vaults (
  vault_id text collate "C" primary key,
  name text not null,
  created_at timestamptz not null
);
