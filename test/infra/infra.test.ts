import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
import { Client } from "pg";
import { expect, test } from "vitest";
import { createServiceDatabase, createTestPki, testPeers, testRedisUrl } from "./index.ts";

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

test("a service database is fresh, its own, and gone after disposal", async () => {
  const makeMany = Array.from({ length: 6 }, () => createServiceDatabase("audit"));
  const [one, ...others] = await Promise.all(makeMany);
  if (one === undefined) throw new Error("no database was made");
  await query(one.ownerUrl, "create table kept (id int)");
  expect(await query(one.servingUrl, "select current_user as name")).toEqual([
    { name: "sallyport_audit" },
  ]);
  await Promise.all([one, ...others].map((database) => database[Symbol.asyncDispose]()));
  await expect(query(one.ownerUrl, "select 1")).rejects.toThrow(/does not exist/);
});

test("the serving role may do only what the owner grants, and no other service may connect", async () => {
  await using audit = await createServiceDatabase("audit");
  await using policy = await createServiceDatabase("policy");
  await query(
    audit.ownerUrl,
    "create table records (id int); grant insert on records to sallyport_audit",
  );
  await query(audit.servingUrl, "insert into records values (1)");
  await expect(query(audit.servingUrl, "select * from records")).rejects.toThrow(
    /permission denied/,
  );
  await expect(query(audit.servingUrl, "create table own (id int)")).rejects.toThrow(
    /permission denied/,
  );
  const stranger = new URL(policy.ownerUrl);
  stranger.pathname = new URL(audit.ownerUrl).pathname;
  await expect(query(stranger.href, "select 1")).rejects.toThrow(/permission denied/);
});

test("the test Redis lets its user in", async () => {
  const { pathname, searchParams } = new URL(testRedisUrl());
  const [username, password] = [
    searchParams.get("username") ?? "",
    searchParams.get("password") ?? "",
  ];
  const redis = new Redis({ path: pathname, username, password });
  expect(await redis.set("infra:test", "1", "PX", 1_000)).toBe("OK");
  await redis.quit();
});

test("the test PKI has a certificate for every peer, renews it, and is gone after disposal", async () => {
  const pki = await createTestPki();
  expect(testPeers.map((peer) => pki.tls(peer).caFile)).toEqual(testPeers.map(() => pki.caFile));
  expect(pki.foreign("policy").caFile).toBe(pki.caFile);
  expect(() => pki.tls("nobody")).toThrow("no peer nobody");
  const { certFile } = pki.tls("policy");
  const before = readFileSync(certFile, "utf8");
  await pki.renew("policy");
  expect(readFileSync(certFile, "utf8")).not.toBe(before);
  await pki[Symbol.asyncDispose]();
  expect(() => readFileSync(certFile)).toThrow(/ENOENT/);
});
