import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { AlreadyRunningError, readLines } from "../data/claim.ts";
import { type Postgres, startPostgres } from "./postgres.ts";
import { isRunning, startOf } from "../host/process.ts";

// Each test makes a cluster of its own, which takes seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let dir = "";
const started: Postgres[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-postgres-"));
  chmodSync(dir, 0o711);
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
  rmSync(dir, { recursive: true, force: true });
});

async function start(dataDir = join(dir, "data")): Promise<Postgres> {
  const server = await startPostgres({ dataDir, durable: false, log: () => undefined });
  started.push(server);
  return server;
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

test("data outlives a restart, and nothing listens on TCP", async () => {
  const first = await start();
  await query(first.superuserUrl(), "create table kept as select 7 as n");
  expect(await query(first.superuserUrl(), "show listen_addresses")).toEqual([
    { listen_addresses: "" },
  ]);
  await first.stop();
  await first.stop();
  expect(await query((await start()).superuserUrl(), "select n from kept")).toEqual([{ n: 7 }]);
});

test("a password is asked for", async () => {
  const url = new URL((await start()).superuserUrl());
  url.password = "wrong";
  await expect(query(url.href, "select 1")).rejects.toThrow(/password authentication failed/);
});

test("a second start is refused while the first supervisor lives", async () => {
  const server = await start();
  writeFileSync(join(dir, "data/owner"), `${process.ppid}\n${startOf(process.ppid)}\n`);
  await expect(start()).rejects.toThrow(AlreadyRunningError);
  expect(await query(server.superuserUrl(), "select 1 as n")).toEqual([{ n: 1 }]);
});

test("a server left by a killed supervisor is stopped and replaced", async () => {
  const left = await start();
  await query(left.superuserUrl(), "create table kept as select 7 as n");
  const pid = Number(readLines(join(dir, "data/cluster/postmaster.pid"))[0]);
  expect(isRunning(pid)).toBe(true);
  writeFileSync(join(dir, "data/owner"), "999999999\ngone\n");
  const next = await start();
  expect(isRunning(pid)).toBe(false);
  expect(await query(next.superuserUrl(), "select n from kept")).toEqual([{ n: 7 }]);
});

test("a server that is killed is reported, starts again on the same socket, and stop() ends it", async () => {
  const ended = Promise.withResolvers<string>();
  const dataDir = join(dir, "data");
  const onEnd = ended.resolve;
  const server = await startPostgres({ dataDir, durable: false, log: () => undefined, onEnd });
  started.push(server);
  await query(server.superuserUrl(), "create table kept as select 7 as n");
  await query(server.superuserUrl(), "checkpoint"); // Nothing waits for the disk in this server.
  process.kill(Number(readLines(join(dataDir, "cluster", "postmaster.pid"))[0]), "SIGKILL");
  expect(await ended.promise).toBe("it was ended by SIGKILL");
  // What it leaves behind, such as its own children, may need a moment to end.
  await expect.poll(() => server.start().then(() => "up"), { timeout: 20_000 }).toBe("up");
  expect(await query(server.superuserUrl(), "select n from kept")).toEqual([{ n: 7 }]);
  await server.stop();
  await expect(query(server.superuserUrl(), "select 1")).rejects.toThrow(/ENOENT/);
});

test("a long data directory gets a short socket", async () => {
  const server = await start(join(dir, "d".repeat(90)));
  expect(Buffer.byteLength(server.socketDir("own"))).toBeLessThan(60);
  expect(await query(server.superuserUrl(), "select 1 as n")).toEqual([{ n: 1 }]);
});

test.runIf(process.getuid?.() === 0)("a closed parent directory is named", async () => {
  const closed = join(dir, "closed");
  mkdirSync(closed, { mode: 0o700 });
  await expect(start(join(closed, "data"))).rejects.toThrow(
    `user postgres cannot enter ${closed}:`,
  );
});

test("a process that is gone is not running", () => {
  expect(isRunning(process.pid)).toBe(true);
  expect(isRunning(999_999_999)).toBe(false);
});
