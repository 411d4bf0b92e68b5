import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Process, Server, Wiring } from "@sallyport/deploy/local";
import { unboundRecords } from "../system/unbound-records.ts";
import { type Link, openLink } from "./link.ts";

/** Every link of a deployment, as "from > to". */
const links: Readonly<Record<Process, readonly (Process | Server)[]>> = {
  gateway: ["identity", "policy", "secrets", "crypto", "audit", "redis"],
  identity: ["policy", "audit", "postgres"],
  policy: ["audit", "postgres"],
  secrets: ["policy", "crypto", "audit", "postgres"],
  crypto: ["audit"],
  audit: ["postgres"],
};

/** A wiring whose links and clocks can be disturbed. */
export type DisturbedWiring = AsyncDisposable & {
  readonly wiring: Wiring;
  readonly links: ReadonlyMap<string, Link>;
  /** Sets the clock of a process off by so many milliseconds, until it is set to 0. */
  setClock(name: Process, offsetMs: number): void;
};

const socketNames: Readonly<Record<Server, string>> = {
  postgres: ".s.PGSQL.5432",
  redis: "redis.sock",
};
const preload = "clock-preload.mts";

// As root, each process runs as a user of its own and passes through to its link.
function passableFolder(prefix: string): string {
  const folder = mkdtempSync(prefix);
  chmodSync(folder, 0o711);
  return folder;
}

/** Puts a proxy into every link, and a clock that can be moved into every process. */
export async function disturbWiring(): Promise<DisturbedWiring> {
  await using stack = new AsyncDisposableStack();
  const dir = passableFolder(join(tmpdir(), "sp-chaos-"));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const open = new Map<string, Link>();
  for (const [from, ends] of Object.entries(links)) {
    for (const to of ends) {
      const socket = to === "postgres" || to === "redis" ? socketNames[to] : undefined;
      const folder = socket === undefined ? dir : passableFolder(join(dir, `${from}-`));
      const link = await openLink(socket === undefined ? 0 : join(folder, socket));
      open.set(`${from} > ${to}`, stack.use(link));
    }
  }
  const folders = new Map<Process, string>();
  const kept = stack.move();
  return {
    links: open,
    wiring: {
      port(from, to, port) {
        const link = open.get(`${from} > ${to}`);
        link?.leadTo(port);
        return typeof link?.address === "number" ? link.address : port;
      },
      socket(from, to, path) {
        const link = open.get(`${from} > ${to}`);
        link?.leadTo(path);
        if (typeof link?.address !== "string" || basename(link.address) !== basename(path))
          throw new Error(`${from} cannot be wired to ${path}`);
        return link.address;
      },
      environment(name, folder) {
        folders.set(name, folder);
        const file = join(folder, "clock-offset");
        // A process may read its own folder and the program, and nothing of the tests.
        copyFileSync(join(import.meta.dirname, preload), join(folder, preload));
        writeFileSync(file, "0");
        return {
          ...unboundRecords(name),
          NODE_OPTIONS: `--import=${pathToFileURL(join(folder, preload)).href}`,
          CHAOS_CLOCK_FILE: file,
        };
      },
    },
    setClock(name, offsetMs) {
      writeFileSync(join(folders.get(name) ?? "", "clock-offset"), String(offsetMs));
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
