-- Principals whose credentials must be forgotten, for the streams of every replica. A row is of interest for seconds.
-- xid orders rows by transaction: whoever reads from the oldest transaction that was still running misses none.
create table if not exists key_changes (
  change_id bigint generated always as identity primary key,
  xid xid8 not null default pg_current_xact_id(),
  principal_id text collate "C" not null,
  changed_at timestamptz not null default now()
);
