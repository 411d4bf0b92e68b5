-- A machine is refused from the instant at which its lifetime is over; 'expired' is stored later, once policy has taken
-- its rights. The index finds those for which that is still to be done.
alter table machines drop constraint if exists machines_state_check;
alter table machines add constraint machines_state_check
  check (state in ('provisioning', 'active', 'disabled', 'revoked', 'expired'));
create index if not exists machines_due on machines (expires_at, machine_id)
  where state in ('provisioning', 'active', 'disabled');
