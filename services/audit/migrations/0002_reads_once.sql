-- A decision opens a secret once, whoever replays it (LOG.md §3).
create unique index if not exists records_read_once on records (decision_id, secret_id)
where action = 'secret.read';
