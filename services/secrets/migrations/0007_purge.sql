create index if not exists projects_by_deletion on projects (deleted_at) where deleted_at is not null;
create index if not exists secrets_by_deletion on secrets (deleted_at) where deleted_at is not null;

-- Ids that were purged: nothing bears them again, or an old envelope from a copy could pass for a new one.
create table if not exists purged_ids (
  id text collate "C" primary key,
  purged_at timestamptz not null default now()
);
grant select on purged_ids to sallyport_secrets;

create or replace function refuse_purged_id() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from public.purged_ids where id = new.secret_id) then
    raise unique_violation using constraint = 'secrets_id', message = 'the id was purged';
  end if;
  return new;
end $$;
create or replace trigger refuse_purged_id before insert on secrets for each row execute function refuse_purged_id();

-- Security: these run as the owner of the tables, for a role that may delete nothing itself. They take from the caller
-- only ids; what is due they see for themselves, by this server's clock, and every name is bound to its schema. now() is
-- when the transaction began, so a long one purges later, not earlier.

-- Purges those of the secrets that are due and returns their ids. At most 1,000 versions at a time: a secret with more
-- goes in several calls, its versions first.
create or replace function purge_secrets(asked text[]) returns setof text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  due text[];
  bare text[];
begin
  select array_agg(locked.secret_id) into due from (
    select s.secret_id from public.secrets s
     where s.secret_id = any(asked) and s.deleted_at <= now() - public.purge_delay()
       for update
  ) locked;
  delete from public.versions v
   using (select o.secret_id, o.version from public.versions o where o.secret_id = any(due) limit 1000) part
   where v.secret_id = part.secret_id and v.version = part.version;
  select array_agg(d.id) into bare from unnest(due) d (id)
   where not exists (select from public.versions v where v.secret_id = d.id);
  insert into public.purged_ids (id) select b.id from unnest(bare) b (id) on conflict do nothing;
  return query delete from public.secrets s where s.secret_id = any(bare) returning s.secret_id;
end $$;

-- Purges those of the projects that are due and hold no secret any more, with every key of theirs: what a copy still
-- holds of their envelopes opens no longer. Returns their ids.
create or replace function purge_projects(asked text[]) returns setof text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  due text[];
begin
  select array_agg(locked.project_id) into due from (
    select p.project_id from public.projects p
     where p.project_id = any(asked) and p.deleted_at <= now() - public.purge_delay()
       and not exists (select from public.secrets s where s.project_id = p.project_id)
       for update
  ) locked;
  insert into public.purged_ids (id) select d.id from unnest(due) d (id) on conflict do nothing;
  delete from public.project_keys k where k.project_id = any(due);
  return query delete from public.projects p where p.project_id = any(due) returning p.project_id;
end $$;

revoke all on function purge_secrets(text[]), purge_projects(text[]) from public;
grant execute on function purge_secrets(text[]), purge_projects(text[]) to sallyport_secrets;
