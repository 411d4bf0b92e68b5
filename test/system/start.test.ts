import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { login } from "@sallyport/client";
import { defaultUidBase } from "@sallyport/deploy/local";
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
  return launch(repository, env, ["--data", data, ...args]);
}

/** The same in another clone, with its own data. */
function startIn(clone: string, ...args: string[]): Run {
  return launch(clone, {}, args);
}

function launch(cwd: string, env: NodeJS.ProcessEnv, args: readonly string[]): Run {
  const child = spawn("sh", ["deploy/start.sh", ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (more: string) => (text += more));
  const code = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { child, code, output: () => text };
}

/**
 * A clone, whose files are links to this one's, in a folder of mode 0700 with a name that shells
 * mind.
 */
function closedClone(): string {
  const clone = join(data, "closed", "a clöne");
  mkdirSync(join(data, "closed"), { mode: 0o700 });
  mkdirSync(clone);
  const { workspaces } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as {
    readonly workspaces: readonly string[];
  };
  const folders = new Set(workspaces.map((path) => path.split("/")[0] ?? path));
  const parts = ["package.json", "package-lock.json", "node_modules", ...folders];
  execFileSync("cp", ["-al", ...parts.map((name) => join(repository, name)), clone]);
  return clone;
}

/** What a shell prints as a user with one further group. */
function outputAs(user: number, group: number, script: string, path: string): string {
  const ids = [`--reuid=${user}`, `--regid=${user}`, `--groups=${group}`];
  const command = ["sh", "-c", script, "sh", path];
  return spawnSync("setpriv", [...ids, ...command], { cwd: "/", encoding: "utf8" }).stdout;
}

const systemPrograms = [
  "id",
  "sudo",
  "apt-get",
  "setpriv",
  "useradd",
  "getent",
  "ps",
  "uname",
  "ldconfig",
  "redis-server",
];

/** Programs named like the system's, in a folder of the PATH, that say when they ran. */
function plantPrograms(): { readonly folder: string; ran(): string[] } {
  const folder = join(data, "planted");
  mkdirSync(folder);
  for (const name of systemPrograms)
    writeFileSync(join(folder, name), `#!/bin/sh\n: > ${folder}/${name}.ran\nexit 1\n`, {
      mode: 0o755,
    });
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

  test("nothing is left but a login code, which a later demo misses; Ctrl-C stops everything", async () => {
    const run = start("--port", "0");
    await expect.poll(run.output, { timeout: 120_000 }).toContain("Ctrl-C stops everything");
    expect(run.output()).not.toContain("The main job");
    expect(readdirSync(join(data, "owner")).toSorted()).toEqual(["login-code", "login-seed"]);
    expect(existsSync(join(data, "demo"))).toBe(false);
    const url = /The API listens at (.*)/.exec(run.output())?.[1] ?? "";
    const ca = readFileSync(join(data, "authorities", "edge", "ca.pem"), "utf8");
    await login({ url, ca }, readFileSync(join(data, "owner", "login-code"), "utf8").trim(), "ada");
    run.child.kill("SIGINT");
    expect(await run.code, run.output()).toBe(0);
    expect(run.output()).toContain("stop everything");
    const demo = start("--demo-only", "--port", "0");
    expect(await demo.code).toBe(1);
    expect(demo.output()).toContain("give the demo a data directory of its own with --data");
  });

  test("a server or a process that ends stops everything, which the last line says", async () => {
    const run = start("--no-demo", "--port", "0");
    await expect.poll(run.output, { timeout: 120_000 }).toContain("Ctrl-C stops everything");
    process.kill(Number(readFileSync(join(data, "redis", "data", "redis.pid"), "utf8")), "SIGKILL");
    expect(await run.code, run.output()).toBe(1);
    expect(run.output()).toContain("✓ stop everything");
    expect(run.output()).toMatch(
      /sallyport: redis ended \(it was ended by SIGKILL\): .*logs\/redis\.log says why; everything is stopped\n$/,
    );
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
    `a clone that nobody but root may enter works, and stays closed${root ? "" : " (needs root)"}`,
    async () => {
      const clone = closedClone();
      const run = startIn(clone, "--demo", "--port", "0");
      await expect.poll(run.output, { timeout: 120_000 }).toContain("Ctrl-C stops everything");
      const kept = realpathSync(join(clone, ".sallyport"));
      const exported = run.output().match(/^ +export SALLYPORT_CA=.*$/m)?.[0] ?? "";
      execFileSync("sh", ["-euc", `${exported}; test -r "$SALLYPORT_CA"`], { cwd: "/" });
      try {
        const program = join(kept, "program");
        const [audit, stranger] = [defaultUidBase, 65_534];
        const group = defaultUidBase + 7;
        expect(outputAs(stranger, stranger, 'ls "$1"; cat "$1/package.json"', program)).toBe("");
        expect(outputAs(audit, group, 'cat "$1/package.json"', program)).toContain("sallyport");
        expect(outputAs(audit, group, 'find "$1" ! -type l -writable', program)).toBe("");
        expect(outputAs(audit, group, 'ls "$1"', clone)).toBe("");
        expect(readdirSync(program).toSorted()).toEqual(
          ["gateway", "node_modules", "package.json", "proto", "services"].toSorted(),
        );
        run.child.kill("SIGINT");
        expect(await run.code, run.output()).toBe(0);
        expect(existsSync(program)).toBe(false);
      } finally {
        run.child.kill("SIGINT");
        await run.code;
        rmSync(kept, { recursive: true, force: true });
      }
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
