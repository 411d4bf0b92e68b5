-- The log: one row for each record, in the order of seq, which has no gap (LOG.md §2). Rows are never changed.
create table if not exists records (
  seq bigint primary key check (seq > 0),
  event_id text not null,
  "time" timestamptz not null,
  recorded_at timestamptz not null,
  emitter text not null,
  action text not null,
  outcome smallint not null,
  severity smallint not null,
  actor_kind smallint not null,
  actor_id text not null,
  reason text not null,
  vault_id text not null,
  project_id text not null,
  secret_id text not null,
  secret_version bigint not null,
  machine_id text not null,
  subject_id text not null,
  source_ip text not null,
  request_digest bytea not null,
  decision_id text not null,
  policy_version bigint not null,
  detail jsonb not null,
  -- Not part of the record: it tells crypto's own retry from a replayed decision (LOG.md §3).
  attempt_id bytea not null,
  -- What later proofs are made over (LOG.md §4).
  canonical bytea not null,
  constraint records_event_id unique (event_id),
  constraint records_read_is_named check (
    action <> 'secret.read'
    or (decision_id <> '' and secret_id <> '' and octet_length(attempt_id) = 16)
  )
);
