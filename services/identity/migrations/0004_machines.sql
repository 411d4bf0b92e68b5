-- A key is one machine for ever. activated_at tells whether policy ever took over the machine's scope; that a lifetime
-- is over is a matter of time and not stored.
create table if not exists machines (
  machine_id text collate "C" primary key,
  vault_id text collate "C" not null,
  token_id text collate "C" not null,
  public_key bytea not null check (length(public_key) = 32),
  name text not null,
  hostname text not null,
  state text not null check (state in ('provisioning', 'active', 'disabled', 'revoked')),
  created_at timestamptz not null,
  expires_at timestamptz not null,
  activated_at timestamptz,
  check (state <> 'active' or activated_at is not null),
  foreign key (token_id, vault_id) references enrollment_tokens (token_id, vault_id),
  constraint machines_public_key unique (public_key)
);
create index if not exists machines_newest on machines (vault_id, created_at desc, machine_id desc);
