-- The secrets that one decision refused, when they were more than one: [[id, reason], …] (LOG.md §4).
alter table records add column if not exists refused jsonb;
-- By which of them a listing finds the record, in the order of seq.
create table if not exists refused_secrets (
  vault_id text not null,
  secret_id text not null,
  seq bigint not null,
  primary key (vault_id, secret_id, seq)
);
revoke all on refused_secrets from public;
grant select, insert on refused_secrets to sallyport_audit;
