-- People. vault_id is part of the keys that others refer to: nothing that crosses vaults can be stored.
create table if not exists users (
  user_id text collate "C" primary key,
  vault_id text collate "C" not null references vaults (vault_id),
  name text not null,
  role text not null check (role in ('owner', 'admin', 'developer', 'auditor')),
  created_at timestamptz not null,
  unique (user_id, vault_id)
);

-- One key for each device of a user; key_id is the keyid of its requests.
create table if not exists user_keys (
  key_id text collate "C" primary key,
  user_id text collate "C" not null references users (user_id),
  public_key bytea not null check (length(public_key) = 32),
  created_at timestamptz not null,
  expires_at timestamptz not null,
  constraint user_keys_public_key unique (public_key)
);

-- A code lets one key in, once. Only the hash of the code's public key is known here.
create table if not exists login_codes (
  code_id text collate "C" primary key,
  vault_id text collate "C" not null references vaults (vault_id),
  key_sha256 bytea not null check (length(key_sha256) = 32),
  role text not null check (role in ('owner', 'admin', 'developer', 'auditor')),
  created_at timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  redeemed_by text collate "C" references user_keys (key_id),
  constraint login_codes_key unique (key_sha256)
);
