-- The program that a client said it is (LOG.md §4).
alter table records add column if not exists client text not null default '';
