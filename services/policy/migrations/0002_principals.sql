-- A machine is known from the transaction that applied its scope; token_id names the token that made it.
create table if not exists principals (
  machine_id text collate "C" primary key,
  vault_id text not null,
  status text not null check (status in ('active', 'disabled', 'revoked')),
  expires_at timestamptz not null,
  token_id text not null,
  created_by text not null,
  created_at timestamptz not null default now(),
  unique (machine_id, vault_id)
);
