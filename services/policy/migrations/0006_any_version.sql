-- Whether the machine may name an older version; a grant given before this column reads the current one only.
alter table grants add column if not exists any_version boolean not null default false;
grant update (any_version) on grants to sallyport_policy;
