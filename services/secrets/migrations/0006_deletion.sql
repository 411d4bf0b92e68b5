-- For so long after its deletion something can be restored; then it is purged. Hours, so that no time zone matters.
create or replace function purge_delay() returns interval language sql immutable parallel safe
  return interval '720 hours';

alter table projects add column if not exists deleted_at timestamptz, add column if not exists deleted_by text;
alter table secrets add column if not exists deleted_at timestamptz, add column if not exists deleted_by text;
alter table projects drop constraint if exists projects_deletion;
alter table projects add constraint projects_deletion check ((deleted_at is null) = (deleted_by is null));
alter table secrets drop constraint if exists secrets_deletion;
alter table secrets add constraint secrets_deletion check ((deleted_at is null) = (deleted_by is null));

-- Security: who deletes says that it is deleted, never when, or the serving role could date a deletion back and have it
-- purged at once. The clock's time and not the transaction's, which may have been open for long.
create or replace function stamp_deletion() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if new.deleted_at is null then
    return new;
  end if;
  if tg_op = 'UPDATE' and old.deleted_at is not null then
    new.deleted_at := old.deleted_at;
  else
    new.deleted_at := clock_timestamp();
  end if;
  return new;
end $$;
create or replace trigger stamp_deletion before insert or update on projects
  for each row execute function stamp_deletion();
create or replace trigger stamp_deletion before insert or update on secrets
  for each row execute function stamp_deletion();

-- Names are unique among the living; the indexes keep the names of the constraints whose place they take.
alter table projects drop constraint if exists projects_name;
create unique index if not exists projects_name on projects (vault_id, name) where deleted_at is null;
alter table secrets drop constraint if exists secrets_name;
create unique index if not exists secrets_name on secrets (project_id, name) where deleted_at is null;

-- Listings go by name and id, with the deleted ones or without.
create index if not exists projects_by_name on projects (vault_id, name, project_id);
create index if not exists secrets_by_name on secrets (project_id, name, secret_id);

grant update (deleted_at, deleted_by) on projects to sallyport_secrets;
grant update (deleted_at, deleted_by) on secrets to sallyport_secrets;
