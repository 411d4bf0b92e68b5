-- When, from where and by which program a key was last used, as a gateway asserts; no more than one row for each key.
create table if not exists sightings (
  key_id text collate "C" primary key,
  seen_at timestamptz not null,
  source_ip text not null,
  client text not null
);
grant select, insert on sightings to sallyport_identity;
grant update (seen_at, source_ip, client) on sightings to sallyport_identity;
