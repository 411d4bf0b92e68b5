-- A machine that another admission than a token made has none. Only the insert sets it: no role changes it afterwards.
alter table machines alter column token_id drop not null;
