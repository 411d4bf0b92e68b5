-- Events of committed changes that audit has not acknowledged yet, and the mutations that were run once.
create table if not exists outbox (
  event_id text primary key,
  event bytea not null,
  created_at timestamptz not null default clock_timestamp()
);
create table if not exists seen_requests (
  request_digest bytea primary key,
  expires_at timestamptz not null
);
create index if not exists seen_requests_by_expiry on seen_requests (expires_at);
