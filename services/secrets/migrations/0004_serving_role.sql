-- What the serving role may do, and nothing else: a stored version is never changed or deleted.
grant select, insert on projects, project_keys, secrets, versions to sallyport_secrets;
grant update (current_version, updated_at) on secrets to sallyport_secrets;
grant select, insert, delete on outbox, seen_requests to sallyport_secrets;
