-- Whoever was removed stays known, for the records; the name may be another's then. Names differ in more than case.
alter table users add column if not exists removed_at timestamptz;
create unique index if not exists users_living_name on users (vault_id, lower(name)) where removed_at is null;
create index if not exists users_newest on users (vault_id, created_at desc, user_id desc) where removed_at is null;
grant update (removed_at) on users to sallyport_identity;
