-- From where, for which hosts and under which names a token enrolls; empty restricts nothing. Like the scope, these are
-- part of what a token is: the serving role writes them once.
alter table enrollment_tokens add column if not exists source_cidrs text[] not null default '{}';
alter table enrollment_tokens add column if not exists hostname_pattern text not null default '';
alter table enrollment_tokens add column if not exists machine_name_pattern text not null default '';
alter table enrollment_tokens add column if not exists any_version boolean not null default false;
