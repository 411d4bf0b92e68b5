-- Newest first within a vault, and by what people look for.
create index if not exists records_by_vault on records (vault_id, seq);
create index if not exists records_by_machine on records (vault_id, machine_id, seq) where machine_id <> '';
create index if not exists records_by_secret on records (vault_id, secret_id, seq) where secret_id <> '';
create index if not exists records_by_project on records (vault_id, project_id, seq) where project_id <> '';
