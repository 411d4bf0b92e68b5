-- What people write about a secret. It is not sealed.
alter table secrets add column if not exists note text not null default '';
grant update (note) on secrets to sallyport_secrets;
