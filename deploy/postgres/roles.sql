-- The databases and roles of Sallyport: each service that keeps data has a database of its own with
-- two roles. The owner runs migrations; the serving role gets what migrations grant, and no more.
-- Neither may reach another service's database.
--
-- Run once by a superuser, before the migrations: psql -f deploy/postgres/roles.sql
-- A second run changes nothing (psql reports what exists already). The roles have no password, so
-- nobody can log in until each is given one: \password sallyport_audit_owner, and so on.
-- The local deployment runs this file at every start, statement by statement.

create role sallyport_audit_owner login;
create role sallyport_audit login;
create database sallyport_audit owner sallyport_audit_owner;
revoke all on database sallyport_audit from public;
grant connect on database sallyport_audit to sallyport_audit;

create role sallyport_policy_owner login;
create role sallyport_policy login;
create database sallyport_policy owner sallyport_policy_owner;
revoke all on database sallyport_policy from public;
grant connect on database sallyport_policy to sallyport_policy;

create role sallyport_secrets_owner login;
create role sallyport_secrets login;
create database sallyport_secrets owner sallyport_secrets_owner;
revoke all on database sallyport_secrets from public;
grant connect on database sallyport_secrets to sallyport_secrets;

create role sallyport_identity_owner login;
create role sallyport_identity login;
create database sallyport_identity owner sallyport_identity_owner;
revoke all on database sallyport_identity from public;
grant connect on database sallyport_identity to sallyport_identity;
