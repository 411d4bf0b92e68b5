-- An owner may make another vault; it gets a login code for an owner of its own.
grant insert on vaults to sallyport_identity;
create index if not exists enrollment_tokens_by_maker on enrollment_tokens (created_by);
