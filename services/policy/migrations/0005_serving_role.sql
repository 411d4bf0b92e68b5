-- What the serving role may do, and nothing else: ids are never renamed or forgotten, principals only change status.
grant select, insert on projects, secrets to sallyport_policy;
grant select, insert on principals to sallyport_policy;
grant update (status) on principals to sallyport_policy;
grant select, insert, delete on memberships, grants to sallyport_policy;
grant select, insert, delete on outbox, seen_requests to sallyport_policy;
