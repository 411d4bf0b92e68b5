-- What a listing compares addresses by; it is not part of the record. Empty where no address is known.
alter table records add column if not exists source inet;
do $$
declare
  address text;
begin
  for address in select distinct source_ip from records where source is null and source_ip <> '' loop
    begin
      update records set source = address::inet where source_ip = address;
    exception when invalid_text_representation then
      null; -- Such a record stays, and no address finds it.
    end;
  end loop;
end
$$;
-- In the order of seq within a vault, by everything else that people look for.
create index if not exists records_by_actor on records (vault_id, actor_id, seq) where actor_id <> '';
create index if not exists records_by_subject on records (vault_id, subject_id, seq) where subject_id <> '';
create index if not exists records_by_action on records (vault_id, action, seq);
create index if not exists records_by_reason on records (vault_id, reason, seq) where reason <> '';
create index if not exists records_by_source on records (vault_id, source, seq) where source is not null;
create index if not exists records_by_outcome on records (vault_id, outcome, seq);
-- From a time to a seq.
create index if not exists records_by_recorded_at on records (recorded_at, seq);
