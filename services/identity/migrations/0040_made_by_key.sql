-- The device key by which a code or token was made, so that what came of a stolen device can be ended with it. Null in
-- what came with a vault, and in what was made before this was stored. Never changed: the serving role may only insert it.
alter table login_codes add column if not exists created_by_key text collate "C" references user_keys (key_id);
alter table enrollment_tokens add column if not exists created_by_key text collate "C" references user_keys (key_id);
create index if not exists login_codes_by_key on login_codes (created_by_key) where created_by_key is not null;
create index if not exists enrollment_tokens_by_key on enrollment_tokens (created_by_key)
  where created_by_key is not null;
create index if not exists user_keys_by_device on user_keys (coalesce(first_key_id, key_id));
