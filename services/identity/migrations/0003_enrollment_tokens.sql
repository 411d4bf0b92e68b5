-- Tokens that make machines, with the scope they give. Only the hash of the token's public key is known here.
create table if not exists enrollment_tokens (
  token_id text collate "C" primary key,
  vault_id text collate "C" not null references vaults (vault_id),
  key_sha256 bytea not null check (length(key_sha256) = 32),
  description text not null,
  project_ids text[] not null check (cardinality(project_ids) > 0),
  secret_ids text[] not null,
  created_by text collate "C" not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  machine_lifetime_ms bigint not null check (machine_lifetime_ms > 0),
  max_uses integer not null check (max_uses > 0),
  uses integer not null default 0 check (uses between 0 and max_uses),
  last_used_at timestamptz,
  revoked_at timestamptz,
  revoke_reason text not null default '',
  unique (token_id, vault_id),
  foreign key (created_by, vault_id) references users (user_id, vault_id),
  constraint enrollment_tokens_key unique (key_sha256)
);
create index if not exists enrollment_tokens_newest on enrollment_tokens (vault_id, created_at desc, token_id desc);
