import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

vi.setConfig({ testTimeout: 180_000 });

const repository = join(import.meta.dirname, "..", "..");
let data: string;

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "sallyport-start-"));
  chmodSync(data, 0o711);
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

type Run = {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly code: Promise<number | null>;
};

function start(...args: string[]): Run {
  return startWith({}, ...args);
}

function startWith(env: NodeJS.ProcessEnv, ...args: string[]): Run {
  const child = spawn("sh", ["deploy/start.sh", "--data", data, ...args], {
    cwd: repository,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (more: string) => (text += more));
  const code = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { child, code, output: () => text };
}

const systemPrograms = ["id", "useradd", "getent", "ps", "uname", "ldconfig", "redis-server"];

/** Programs named like the system's, in a folder of the PATH, that say when they ran. */
function plantPrograms(): { readonly folder: string; ran(): string[] } {
  const folder = join(data, "planted");
  mkdirSync(folder);
  for (const name of systemPrograms)
    writeFileSync(join(folder, name), `#!/bin/sh\n: > ${folder}/${name}.ran\nexit 1\n`, { mode: 0o755 });
  return { folder, ran: () => readdirSync(folder).filter((name) => name.endsWith(".ran")) };
}

describe("sh deploy/start.sh", () => {
  test("--demo-only walks the main job in numbered lines and exits 0", async () => {
    const planted = plantPrograms();
    const PATH = `${planted.folder}:${process.env["PATH"] ?? ""}`;
    const run = startWith({ PATH }, "--demo-only", "--port", "0");
    expect(await run.code, run.output()).toBe(0);
    expect(planted.ran()).toEqual([]);
    expect(run.output()).toMatch(/✓ 6 read DB_URL, API_KEY \(2 of 3\).*\d+ ms/);
    expect(run.output()).toContain("refused, REQUEST_REJECTED");
    expect(run.output()).not.toContain("correct-horse");
  });

  test("a second start, and a kill -9 of the first followed by a new start", async () => {
    const first = start("--no-demo", "--port", "0");
    await expect.poll(first.output, { timeout: 120_000 }).toContain("Ctrl-C stops everything");
    const second = start("--demo-only", "--port", "0");
    expect(await second.code).toBe(1);
    expect(second.output()).toMatch(/in use by process \d+/);
    first.child.kill("SIGKILL");
    await first.code;
    const third = start("--demo-only", "--port", "0");
    expect(await third.code, third.output()).toBe(0);
  });

  test("nothing is left but a login code; Ctrl-C stops everything", async () => {
    const run = start("--port", "0");
    await expect.poll(run.output, { timeout: 120_000 }).toContain("Ctrl-C stops everything");
    expect(run.output()).not.toContain("The main job");
    expect(readdirSync(join(data, "owner")).toSorted()).toEqual(["login-code", "login-seed"]);
    expect(existsSync(join(data, "demo"))).toBe(false);
    run.child.kill("SIGINT");
    expect(await run.code, run.output()).toBe(0);
    expect(run.output()).toContain("stop everything");
  });

  test("a Redis that is killed is started again, which is said", async () => {
    const run = start("--no-demo", "--port", "0");
    await expect.poll(run.output, { timeout: 120_000 }).toContain("Ctrl-C stops everything");
    const redisPid = (): number => Number(readFileSync(join(data, "redis", "data", "redis.pid"), "utf8"));
    const killed = redisPid();
    process.kill(killed, "SIGKILL");
    await expect
      .poll(run.output, { timeout: 20_000 })
      .toContain("! redis ended (it was ended by SIGKILL); it is started again");
    await expect.poll(redisPid, { timeout: 20_000 }).not.toBe(killed);
    run.child.kill("SIGINT");
    expect(await run.code, run.output()).toBe(0);
  });

  test("a port in use is named", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    const run = start("--demo-only", "--port", String(port));
    expect(await run.code).toBe(1);
    expect(run.output()).toContain(`port ${port} is in use`);
    server.close();
  });

  const root = process.getuid?.() === 0;
  test.skipIf(!root)(
    `a data directory that Postgres may not enter is named${root ? "" : " (needs root)"}`,
    async () => {
      const closed = join(data, "closed");
      mkdirSync(closed, { mode: 0o700 });
      const run = start("--data", join(closed, "data"), "--demo-only", "--port", "0");
      expect(await run.code).toBe(1);
      expect(run.output()).toContain(`user postgres cannot enter ${closed}: allow it with`);
    },
  );

  test("a wrong option is a usage error, and --help shows the options", async () => {
    const wrong = start("--nope");
    expect(await wrong.code).toBe(2);
    const help = start("--help");
    expect(await help.code).toBe(0);
    expect(help.output()).toContain("--demo-only");
  });
});
