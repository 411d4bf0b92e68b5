-- A machine whose time is over is kept out for good, like a revoked one, and is told why.
alter table principals drop constraint if exists principals_status_check;
alter table principals add constraint principals_status_check
  check (status in ('active', 'disabled', 'revoked', 'expired'));
