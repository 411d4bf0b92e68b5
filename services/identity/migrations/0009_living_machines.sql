-- Machines that count against their vault's cap. That a lifetime is over is a matter of time, so the end is in the key.
create index if not exists machines_living on machines (vault_id, expires_at)
  where state in ('provisioning', 'active', 'disabled');
create index if not exists machines_by_name on machines (vault_id, name);
create index if not exists machines_by_token on machines (token_id, machine_id);
