-- Projects and secrets of which policy may believe the opposite of what is stored here: whether they live. It is told
-- again until it has heard.
create table if not exists unsettled (
  id text collate "C" primary key,
  vault_id text not null,
  since timestamptz not null default clock_timestamp()
);
create index if not exists unsettled_by_time on unsettled (since);
grant select, insert, delete on unsettled to sallyport_secrets;
grant update (since) on unsettled to sallyport_secrets;
