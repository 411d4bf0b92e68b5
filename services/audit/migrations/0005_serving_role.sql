-- What the serving role may do, and nothing else: it adds and reads, it can neither change nor remove.
revoke all on records from public;
grant select, insert on records to sallyport_audit;
