-- What the serving role may do, and nothing else: keys, lifetimes and scopes are never changed, nobody is forgotten.
-- Vaults and owners' login codes are made by bootstrap.ts with the owner's role.
grant select on vaults, login_codes to sallyport_identity;
grant select, insert on users, user_keys to sallyport_identity;
grant update (redeemed_by) on login_codes to sallyport_identity;
grant select, insert on enrollment_tokens to sallyport_identity;
grant update (uses, last_used_at, revoked_at, revoke_reason) on enrollment_tokens to sallyport_identity;
grant select, insert on machines to sallyport_identity;
grant update (state, activated_at) on machines to sallyport_identity;
grant select, insert, delete on key_changes, outbox, seen_requests to sallyport_identity;
-- Only for the row locks under which old changes are deleted.
grant update (changed_at) on key_changes to sallyport_identity;
