import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isRunning } from "../host/process.ts";
import { findRedisServer, type Redis, RedisMissingError, startRedis } from "./redis.ts";

const gateway = {
  name: "gateway",
  password: "correct",
  keys: ["nonce:*"],
  commands: ["+ping", "+set", "+get"],
};
let dir = "";
const started: Redis[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-redis-"));
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
  rmSync(dir, { recursive: true, force: true });
});

async function start(appendOnly: boolean, home = join(dir, "redis")): Promise<Redis> {
  const server = await startRedis({
    dir: home,
    users: [gateway],
    appendOnly,
    log: () => undefined,
  });
  started.push(server);
  return server;
}

/** Sends inline commands and returns the lines of the answer. */
function talk({ socketPath }: Redis, ...commands: string[]): Promise<string[]> {
  return new Promise((settle, fail) => {
    let answer = "";
    const socket = connect(socketPath, () => socket.end(`${commands.join("\r\n")}\r\nQUIT\r\n`));
    socket.setEncoding("utf8").on("data", (text: string) => (answer += text));
    socket.on("error", fail).on("close", () => settle(answer.split("\r\n")));
  });
}

const auth = "AUTH gateway correct";

test("a user may do what its rules say and nothing else", async () => {
  const server = await start(false);
  expect(await talk(server, auth, "SET nonce:1 x")).toEqual(expect.arrayContaining(["+OK", "+OK"]));
  expect((await talk(server, auth, "SET other x"))[1]).toMatch(/^-NOPERM/);
  expect((await talk(server, auth, "FLUSHALL"))[1]).toMatch(/^-NOPERM/);
  expect((await talk(server, "AUTH gateway wrong"))[0]).toMatch(/^-WRONGPASS/);
  expect((await talk(server, "GET nonce:1"))[0]).toMatch(/^-NOAUTH/);
});

test("a server that is killed is reported, starts again on the same socket, and stop() ends it", async () => {
  const ended = Promise.withResolvers<string>();
  const home = join(dir, "redis");
  const server = await startRedis({
    dir: home,
    users: [gateway],
    log: () => undefined,
    onEnd: ended.resolve,
  });
  started.push(server);
  process.kill(Number(readFileSync(join(home, "data", "redis.pid"), "utf8")), "SIGKILL");
  expect(await ended.promise).toBe("it was ended by SIGKILL");
  await server.start();
  expect(await talk(server, auth, "PING")).toEqual(expect.arrayContaining(["+OK", "+PONG"]));
  await server.stop();
  await expect(talk(server, auth)).rejects.toThrow(/ENOENT|ECONNREFUSED/);
});

test("files are for the owner alone and hold no password", async () => {
  await start(false);
  const home = join(dir, "redis");
  expect(statSync(home).mode & 0o777).toBe(0o700);
  expect(statSync(join(home, "users.acl")).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(home, "users.acl"), "utf8")).not.toContain(gateway.password);
});

test("appended data outlives a restart", async () => {
  const first = await start(true);
  await talk(first, auth, "SET nonce:kept 7");
  await first.stop();
  await first.stop();
  expect(await talk(await start(true), auth, "GET nonce:kept")).toContain("7");
});

test.each(["redis", "r".repeat(100)])(
  "a server left by a killed supervisor is replaced (%s)",
  async (name) => {
    const home = join(dir, name);
    await start(false, home);
    const pid = Number(readFileSync(join(home, "data/redis.pid"), "utf8"));
    expect(isRunning(pid)).toBe(true);
    writeFileSync(join(home, "owner"), "999999999\ngone\n");
    const next = await start(false, home);
    expect(isRunning(pid)).toBe(false);
    expect(await talk(next, auth, "PING")).toContain("+PONG");
  },
);

test("a stale pid file that names another program stops nothing", async () => {
  const other = spawn("sleep", ["60"]);
  const server = await start(false);
  await server.stop();
  writeFileSync(join(dir, "redis/data/redis.pid"), `${other.pid}\n`);
  await start(false);
  expect(other.exitCode).toBeNull();
  expect(other.kill()).toBe(true);
});

test("a system without a server is one clear error", () => {
  expect(() => findRedisServer([dir])).toThrow(RedisMissingError);
});
