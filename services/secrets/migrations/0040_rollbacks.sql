-- The version whose value a version brought back; null when it was stored as a new value.
alter table versions add column if not exists rollback_of integer;
alter table versions drop constraint if exists versions_rollback_of;
alter table versions add constraint versions_rollback_of check (rollback_of >= 1 and rollback_of < version);
