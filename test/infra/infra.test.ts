import { Redis } from "ioredis";
import { Client } from "pg";
import { expect, test } from "vitest";
import { createTestDatabase, testRedisUrl } from "./index.ts";

test("a test database is empty, its own, and gone after drop", async () => {
  const [one, two] = await Promise.all([createTestDatabase("infra test"), createTestDatabase("infra test")]);
  const client = new Client({ connectionString: one.url });
  await client.connect();
  await client.query("create table kept (id int)");
  await client.end();
  expect(one.url).not.toBe(two.url);

  await Promise.all([one.drop(), two.drop()]);
  await expect(new Client({ connectionString: one.url }).connect()).rejects.toThrow(/does not exist/);
});

test("the test Redis lets its user in", async () => {
  const redis = new Redis(testRedisUrl());
  expect(await redis.set("infra:test", "1", "PX", 1_000)).toBe("OK");
  await redis.quit();
});
