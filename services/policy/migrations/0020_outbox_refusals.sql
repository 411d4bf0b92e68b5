-- An event that audit refuses for good stays, out of the way of those behind it, for the operator to look at.
alter table outbox add column if not exists refused_at timestamptz;
alter table outbox add column if not exists refused_reason text;
create index if not exists outbox_pending on outbox (created_at, event_id) where refused_at is null;
create index if not exists outbox_refused on outbox (refused_at) where refused_at is not null;
grant update (refused_at, refused_reason) on outbox to sallyport_policy;
