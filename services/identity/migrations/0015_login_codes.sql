-- Codes are made by users now. user_id is set in one that adds a device to a user; created_by is null in one that came
-- with its vault. Both are of the code's own vault.
alter table login_codes add column if not exists created_by text collate "C";
alter table login_codes add column if not exists user_id text collate "C";
alter table login_codes add column if not exists redeemed_at timestamptz;
alter table login_codes drop constraint if exists login_codes_created_by;
alter table login_codes add constraint login_codes_created_by
  foreign key (created_by, vault_id) references users (user_id, vault_id);
alter table login_codes drop constraint if exists login_codes_user;
alter table login_codes add constraint login_codes_user
  foreign key (user_id, vault_id) references users (user_id, vault_id);
create index if not exists login_codes_newest on login_codes (vault_id, created_at desc, code_id desc);
grant insert on login_codes to sallyport_identity;
grant update (redeemed_at, revoked_at) on login_codes to sallyport_identity;
