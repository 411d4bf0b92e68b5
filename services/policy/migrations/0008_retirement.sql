-- A retired id is hidden and may come back with its grants. A purged one has none left, and is never used again.
alter table projects add column if not exists state text not null default 'live'
  check (state in ('live', 'retired', 'purged'));
alter table secrets add column if not exists state text not null default 'live'
  check (state in ('live', 'retired', 'purged'));
grant update (state) on projects, secrets to sallyport_policy;

-- The secrets that exist for everyone who asks; all else is as if it were not there.
create or replace view live_secrets as
  select s.secret_id, s.project_id, s.vault_id
    from secrets s
    join projects p on p.project_id = s.project_id
   where s.state = 'live' and p.state = 'live';
grant select on live_secrets to sallyport_policy;
