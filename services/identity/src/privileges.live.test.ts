import { type Database, migrate, openDatabase } from "@sallyport/postgres";
import { createServiceDatabase } from "@sallyport/test/infra";
import { beforeAll, describe, expect, test } from "vitest";

let serving: Database;

beforeAll(async () => {
  const urls = await createServiceDatabase("identity");
  await migrate({ url: urls.ownerUrl, folder: new URL("../migrations/", import.meta.url) });
  serving = openDatabase({ url: urls.servingUrl, applicationName: "test", poolSize: 1 });
  return async () => {
    await serving[Symbol.asyncDispose]();
    await urls[Symbol.asyncDispose]();
  };
});

describe("the serving role", () => {
  test.each([
    // What a token, a code or a key may do is written once.
    "update enrollment_tokens set max_uses = 10000",
    "update enrollment_tokens set expires_at = now() + interval '1 year'",
    "update enrollment_tokens set machine_lifetime_ms = 1",
    "update enrollment_tokens set project_ids = '{}'",
    "update enrollment_tokens set secret_ids = '{}'",
    "update enrollment_tokens set source_cidrs = '{}'",
    "update enrollment_tokens set hostname_pattern = ''",
    "update enrollment_tokens set machine_name_pattern = ''",
    "update enrollment_tokens set any_version = true",
    "update enrollment_tokens set key_sha256 = sha256('x')",
    "update enrollment_tokens set created_by = created_by",
    "update login_codes set role = 'owner'",
    "update login_codes set expires_at = now() + interval '1 year'",
    "update login_codes set key_sha256 = sha256('x')",
    "update login_codes set user_id = null",
    "update login_codes set created_by = null",
    "update login_codes set created_by_key = null",
    "update enrollment_tokens set created_by_key = null",
    "update users set role = 'owner'",
    "update users set name = 'x'",
    "update users set vault_id = vault_id",
    "update user_keys set public_key = sha256('x')",
    "update user_keys set expires_at = now() + interval '1 year'",
    "update user_keys set user_id = user_id",
    "update user_keys set first_key_id = null",
    "update machines set public_key = sha256('x')",
    "update machines set expires_at = now() + interval '1 year'",
    "update machines set token_id = token_id",
    "update machines set hostname = 'x'",
    "update machine_names set name = 'x'",
    "update vaults set name = 'x'",
    "update outbox set event = event",
    // Nobody and nothing is forgotten.
    "delete from vaults",
    "delete from users",
    "delete from user_keys",
    "delete from login_codes",
    "delete from enrollment_tokens",
    "delete from machines",
    "delete from machine_names",
    "delete from sightings",
    "truncate machines",
    // The tables are their owner's.
    "alter table machines add column note text",
    "create table extra (id text)",
    "alter table users drop constraint users_role_check",
    "drop index users_living_name",
    "update schema_migrations set checksum = ''",
  ])("may not: %s", async (statement) => {
    await expect(serving.query(statement)).rejects.toThrow(/permission denied|must be owner/);
  });

  test.each([
    "select count(*) from vaults",
    "update enrollment_tokens set uses = uses, last_used_at = last_used_at where false",
    "update enrollment_tokens set revoked_at = revoked_at, revoke_reason = revoke_reason where false",
    "update login_codes set redeemed_by = redeemed_by, redeemed_at = redeemed_at where false",
    "update login_codes set revoked_at = revoked_at where false",
    "update users set removed_at = removed_at where false",
    "update user_keys set renewed_at = renewed_at, revoked_at = revoked_at where false",
    "update machines set state = state, activated_at = activated_at, name = name where false",
    "update sightings set seen_at = seen_at, source_ip = source_ip, client = client where false",
  ])("may: %s", async (statement) => {
    await expect(serving.query(statement)).resolves.toBeDefined();
  });
});
