import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Process, type SystemOptions, processes } from "@sallyport/deploy/local";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Deployment, startDeployment } from "./deployment.ts";

const root = process.getuid?.() === 0;
const needsRoot = root ? "" : " (needs root)";
let deployment: Deployment;

// Loaded into each process as a dependency would be: tries, once the process is up, what it has no
// business with.
const probe = `
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { Worker } from "node:worker_threads";
const attempts = {
  connect: () => connect(Number(process.env.PROBE_PORT), "127.0.0.1"),
  exec: () => execFileSync("/bin/true"),
  write: () => writeFileSync(process.env.SALLYPORT_CA_FILE, ""),
  read: () => readFileSync("/etc/passwd"),
  worker: () => new Worker("0", { eval: true }),
  binding: () => process.binding("tcp_wrap"),
};
setTimeout(() => {
  const ends = Object.entries(attempts).map(([name, attempt]) => {
    try { attempt(); return name + " done"; } catch (error) { return name + " " + error.code; }
  });
  console.log("probe: " + ends.join(", "));
}, 1000);
`;

const stranger = createServer();
const settings: SystemOptions["settings"] = (_, { SALLYPORT_CA_FILE = "" }) => {
  const file = join(dirname(SALLYPORT_CA_FILE), "probe.mjs");
  writeFileSync(file, probe);
  const { port } = stranger.address() as AddressInfo;
  return { NODE_OPTIONS: `--import=${pathToFileURL(file).href}`, PROBE_PORT: String(port) };
};

beforeAll(async () => {
  await new Promise<void>((resolve) => stranger.listen(0, "127.0.0.1", resolve));
  deployment = await startDeployment(undefined, {}, { settings });
});
afterAll(() => void stranger.close());
afterAll(() => deployment[Symbol.asyncDispose]());

type Attempts = {
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly kill: readonly number[];
  readonly connect: readonly string[];
};

// Runs outside of Node's permission model and of our guard, as code that broke out of both.
const intruder = `
const fs = require("node:fs");
const net = require("node:net");
const attempts = JSON.parse(fs.readFileSync(0, "utf8"));
const done = [];
const attempt = (what, run) => { try { run(); done.push(what); } catch {} };
for (const path of attempts.read)
  attempt("read " + path, () => fs.statSync(path).isDirectory() ? fs.readdirSync(path) : fs.openSync(path, "r"));
for (const path of attempts.write) attempt("write " + path, () => fs.openSync(path, "a"));
for (const path of attempts.write) attempt("chmod " + path, () => fs.chmodSync(path, 0o777));
for (const pid of attempts.kill) attempt("kill " + pid, () => process.kill(pid, 0));
const connect = (path) => new Promise((resolve) => {
  const socket = net.connect(path, () => { done.push("connect " + path); socket.destroy(); });
  socket.on("error", () => {}).on("close", resolve);
});
Promise.all(attempts.connect.map(connect)).then(() => console.log(JSON.stringify(done)));
`;

/** What of all that succeeds as the user and group of a process. */
function tryAs(pid: number, attempts: Attempts): string[] {
  const { uid, gid } = accountOf(pid);
  const groups = statusOf(pid)["Groups"]?.trim().replaceAll(" ", ",") ?? "";
  const ids = [
    `--reuid=${uid}`,
    `--regid=${gid}`,
    groups === "" ? "--clear-groups" : `--groups=${groups}`,
  ];
  const { node } = deployment.system.program;
  const { status, stdout, stderr } = spawnSync("setpriv", [...ids, node, "-e", intruder], {
    cwd: "/",
    input: JSON.stringify(attempts),
    encoding: "utf8",
  });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout) as string[];
}

function statusOf(pid: number): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/status`, "utf8").split("\n");
  return Object.fromEntries(lines.map((line) => line.split(":\t") as [string, string]));
}

function accountOf(pid: number): { uid: number; gid: number } {
  const { Uid = "", Gid = "" } = statusOf(pid);
  return { uid: Number(Uid.split("\t")[0]), gid: Number(Gid.split("\t")[0]) };
}

const pidOf = (name: Process): number => deployment.system.child(name).pid;

function filesOf(folder: string): string[] {
  return [folder, ...readdirSync(folder).map((name) => join(folder, name))];
}

test.skipIf(!root)(
  `each process is a user of its own, without rights and other groups${needsRoot}`,
  () => {
    const redis = Number(readFileSync(join(deployment.dir, "redis", "data", "redis.pid"), "utf8"));
    const pids = [...processes.map(pidOf), redis];
    const accounts = pids.map(accountOf);
    expect(new Set(accounts.map(({ uid }) => uid)).size).toBe(pids.length);
    for (const [index, pid] of pids.entries()) {
      const { uid = 0, gid = 0 } = accounts[index] ?? {};
      expect(Math.min(uid, gid)).toBeGreaterThan(1000);
      const { Uid, Gid, Groups, CapPrm, CapEff } = statusOf(pid);
      expect(Uid).toBe(Array(4).fill(uid).join("\t"));
      expect(Gid).toBe(Array(4).fill(gid).join("\t"));
      expect(Groups?.trim()).toBe(
        pid === redis ? "" : (deployment.system.program.gid?.toString() ?? ""),
      );
      expect([CapPrm, CapEff].map((set) => BigInt(`0x${set}`))).toEqual([0n, 0n]);
    }
  },
);

test.skipIf(!root).each(processes)(
  `as the user of %s, nothing of the others can be read, signalled or looked into${needsRoot}`,
  (name) => {
    const { layout } = deployment.system;
    const others = processes.filter((other) => other !== name);
    const foreign = [layout.root, layout.owner, layout.authorities, layout.supervisor, layout.logs];
    const redis = join(layout.redis, "data");
    const read = [
      ...[...others.map((other) => layout.folder(other)), ...foreign, redis].flatMap(filesOf),
      join(layout.redis, "users.acl"),
      join(layout.postgres, "cluster"),
      join(layout.postgres, "superuser.password"),
      ...[...others.map(pidOf), process.pid].flatMap((pid) =>
        ["mem", "environ", "maps", "fd"].map((file) => `/proc/${pid}/${file}`),
      ),
    ];
    const sockets = others.map((other) => join(layout.postgres, "socket", other, ".s.PGSQL.5432"));
    const connect = [
      ...sockets,
      join(layout.postgres, "socket", "own", ".s.PGSQL.5432"),
      ...(name === "gateway" ? [] : [join(layout.redis, "socket", "redis.sock")]),
    ];
    const kill = [...others.map(pidOf), process.pid];
    expect(tryAs(pidOf(name), { read, write: [], kill, connect })).toEqual([]);
  },
);

test.skipIf(!root).each(processes)(
  `as the user of %s, its keys, keyset, authority and program can be read and not changed${needsRoot}`,
  (name) => {
    const own = filesOf(deployment.system.layout.folder(name));
    const program = ["package.json", "gateway/src/main.ts", "node_modules"].map((path) =>
      join(deployment.system.program.root, path),
    );
    const attempts = {
      read: [...own, ...program],
      write: [...own, ...program],
      kill: [],
      connect: [],
    };
    expect(tryAs(pidOf(name), attempts)).toEqual(
      [...own, ...program].map((path) => `read ${path}`),
    );
  },
);

test.skipIf(!root)(
  `without the split of users the intruder would get all of it${needsRoot}`,
  () => {
    const { layout } = deployment.system;
    const read = [join(layout.folder("crypto"), "kek.key"), `/proc/${pidOf("crypto")}/mem`];
    const attempts = { read, write: [], kill: [pidOf("crypto")], connect: [] };
    expect(tryAs(process.pid, attempts)).toHaveLength(3);
  },
);

test.each(processes)("%s connects to nobody else, starts nothing, writes nothing", async (name) => {
  let connections = 0;
  stranger.on("connection", () => (connections += 1));
  const log = join(deployment.system.layout.logs, `${name}.log`);
  const denied = "ERR_ACCESS_DENIED";
  await expect
    .poll(() => /^probe: (.*)$/m.exec(readFileSync(log, "utf8"))?.[1], { timeout: 20_000 })
    .toBe(
      `connect ERR_SALLYPORT_EGRESS, exec ${denied}, write ${denied}, read ${denied}, ` +
        `worker ${denied}, binding ${denied}`,
    );
  expect(connections).toBe(0);
});
