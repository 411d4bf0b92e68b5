-- A device has one key after another. first_key_id is the first of them, null in itself; whoever ends one ends them all.
-- A key that was renewed works for minutes more: its lifetime is never changed, only cut short by renewed_at.
alter table user_keys add column if not exists first_key_id text collate "C" references user_keys (key_id);
alter table user_keys add column if not exists renewed_at timestamptz;
alter table user_keys add column if not exists revoked_at timestamptz;
create index if not exists user_keys_by_user on user_keys (user_id, created_at desc, key_id desc);
grant update (renewed_at, revoked_at) on user_keys to sallyport_identity;
