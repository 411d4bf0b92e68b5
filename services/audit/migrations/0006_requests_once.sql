-- A signed request opens a secret once, however many decisions were asked for about it (LOG.md §3).
create unique index if not exists records_request_read_once on records (request_digest, secret_id)
where action = 'secret.read';
alter table records add constraint records_read_has_request check (
  action <> 'secret.read' or octet_length(request_digest) = 32
);
