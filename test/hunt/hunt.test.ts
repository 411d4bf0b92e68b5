import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Process, databaseOwners, processes } from "@sallyport/deploy/local";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Collector, startCollector } from "../infra/index.ts";
import { openDatabase } from "../system/databases.ts";
import { type Deployment, startDeployment } from "../system/deployment.ts";
import { scrape } from "../system/observed.ts";
import { type Search, searchFor, textCanary } from "./canary.ts";
import { type HeldKey, keysOf } from "./keys.ts";
import { canReadMemory, countInMemory } from "./memory.ts";
import { processTree, searchArguments, searchDatabase, searchFiles } from "./places.ts";
import { type Day, control, spendDay, texts, tracesOf } from "./planted.ts";

vi.setConfig({ testTimeout: 240_000 });

const repository = join(import.meta.dirname, "..", "..");
const beganMs = Date.now();

let collector: Collector;
let deployment: Deployment;
let day: Day;
let keys: HeldKey[];
/** For every secret of the day and every key. */
let search: Search;
/** For those, and the text that may lie about. */
let searchMore: Search;

beforeAll(async () => {
  collector = await startCollector();
  deployment = await startDeployment(undefined, { otlpUrl: collector.url, traceRatio: "1" });
  keys = await keysOf(deployment.system);
  day = await spendDay(deployment);
  const all = [...day.canaries, ...keys.map(({ canary }) => canary)];
  search = searchFor(all);
  searchMore = searchFor([...all, textCanary("control", control)]);
}, 240_000);
afterAll(async () => {
  day.home[Symbol.dispose]();
  await deployment[Symbol.asyncDispose]();
  await collector[Symbol.asyncDispose]();
});

const pidOf = (name: Process): number => deployment.system.child(name).pid;

// The process may have ended since it was listed.
function programOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[0] ?? "";
  } catch {
    return "";
  }
}

describe("nothing secret is", () => {
  test("in a file of the deployment but the one that it belongs to: no log, no database, no Redis", () => {
    const places = keys.flatMap(({ canary, files }) =>
      files.map((file) => `${file}: ${canary.name}`),
    );
    const code = ["login-code", "login-seed"].map((file) => `owner/${file}: login seed`);
    const found = searchFiles(deployment.dir, search);
    expect(found).toEqual([...places, ...code].toSorted());
  });

  test("in a row of a database, whatever form it has on disk", async () => {
    const found = await Promise.all(
      databaseOwners.map(async (owner) => {
        await using client = await openDatabase(deployment.system, owner);
        return await searchDatabase(client, searchMore);
      }),
    );
    // The note is no secret: it shows that what is there is found.
    expect(found.flat()).toEqual(["public.secrets: control"]);
  });

  test("in a trace, a metric or a refusal", async () => {
    const metrics = await scrape(deployment.system);
    const traces = await tracesOf(collector);
    expect(traces).toContain("OpenService/Open");
    expect(day.refusals).toMatch(/NOT_GRANTED[\s\S]*VERSION_CONFLICT[\s\S]*FIELD_INVALID/);
    expect(metrics.get("gateway")).toContain("sallyport_");
    const told = [traces, day.refusals, ...metrics.values()].join("\n");
    expect([...search(Buffer.from(told)).keys()]).toEqual([]);
  });

  test("in the arguments or the environment of a process", () => {
    const ours = processTree(process.pid);
    expect(ours).toEqual(expect.arrayContaining(processes.map(pidOf)));
    expect(searchArguments(ours, search)).toEqual([]);
    const folder = textCanary("folder", deployment.system.layout.folder("crypto"));
    expect(new Set(searchArguments(ours, searchFor([folder])))).toEqual(
      new Set(["cmdline: folder", "environ: folder"]),
    );
  });

  test("in a temporary file, or in a dump of a process that crashed", async () => {
    const { system, dir } = deployment;
    for (const name of processes) {
      const limits = readFileSync(`/proc/${pidOf(name)}/limits`, "utf8");
      expect(limits, name).toMatch(/^Max core file size +0 +0 /m);
    }
    const crashed = system.child("policy");
    process.kill(crashed.pid, "SIGABRT");
    expect(await crashed.ended).toBe("it was ended by SIGABRT");
    await system.startProcess("policy");
    expect(pidOf("policy")).not.toBe(crashed.pid);
    const options = { newerThanMs: beganMs, leaveOut: [dir, day.home.dir] };
    for (const folder of [tmpdir(), "/dev/shm", repository])
      expect(searchFiles(folder, search, options)).toEqual([]);
  });
});

describe("in memory", () => {
  const isReadable = process.platform === "linux" && canReadMemory(process.ppid);
  if (!isReadable) console.log("skipped: the memory of other processes cannot be read here");

  test.runIf(isReadable)(
    "of each process are its own keys and no others, and values only where they are opened",
    () => {
      const belongs = (name: Process): string[] => [
        ...keys.filter(({ memory }) => memory.includes(name)).map(({ canary }) => canary.name),
        ...(name === "crypto" ? ["sealed", "unsealed", "stored", "refused", "conflicting"] : []),
        ...(name === "gateway" ? ["unsealed", "misplaced"] : []),
      ];
      for (const name of processes) {
        const counts = countInMemory(pidOf(name), search);
        const told = [...counts].map(([canary, count]) => `${canary} ${count}`).join(", ");
        console.log(`memory of ${name}: ${told === "" ? "nothing" : told}`);
        const strays = [...counts.keys()].filter((canary) => !belongs(name).includes(canary));
        expect(strays, name).toEqual([]);
      }
      expect(
        countInMemory(pidOf("crypto"), search).get("KEK"),
        "what is there is found",
      ).toBeGreaterThan(0);
    },
  );

  test.runIf(isReadable)("of Postgres and Redis is nothing", () => {
    const servers = processTree(process.pid).filter((pid) =>
      /postgres|redis|valkey/.test(programOf(pid)),
    );
    expect(servers.length).toBeGreaterThan(2);
    const shared = new Set<string>();
    for (const pid of servers)
      expect([...countInMemory(pid, search, shared).keys()], programOf(pid)).toEqual([]);
  });
});

test("the day was as it says: the values were read, the one that is not sealed passed in plaintext", () => {
  const { value = "" } = /"value":\s*"(?<value>[^"]+)"/.exec(day.unsealedAnswer)?.groups ?? {};
  expect(Buffer.from(value, "base64").toString()).toBe(texts.unsealed);
});
