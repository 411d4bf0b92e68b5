import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Process, Server, SystemOptions } from "@sallyport/deploy/local";
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
  /** Leads each process to its peers and servers through the links. */
  readonly settings: NonNullable<SystemOptions["settings"]>;
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

type Settings = Readonly<Record<string, string>>;
type Links = ReadonlyMap<string, Link>;

/** The URLs of the peers of a process, as the links' ports. */
function peersThroughLinks(from: Process, own: Settings, links: Links): Record<string, string> {
  const peers = Object.entries(own).flatMap(([key, value]) => {
    const to = /^SALLYPORT_(\w+)_URL$/.exec(key)?.[1]?.toLowerCase() ?? "";
    const link = links.get(`${from} > ${to}`);
    if (!link) return [];
    const url = new URL(value);
    link.leadTo(Number(url.port));
    url.port = String(link.address);
    return [[key, url.origin]];
  });
  return Object.fromEntries(peers) as Record<string, string>;
}

/** Puts the links' sockets into the files that say where a process finds Postgres or Redis. */
function leadToServers(from: Process, own: Settings, links: Links): void {
  for (const [key, to] of [
    ["SALLYPORT_DATABASE_URL_FILE", "postgres"],
    ["SALLYPORT_REDIS_URL_FILE", "redis"],
  ] as const) {
    const [file, link] = [own[key], links.get(`${from} > ${to}`)];
    if (file === undefined || typeof link?.address !== "string") continue;
    const url = new URL(readFileSync(file, "utf8"));
    // At a later start of the process the file leads to the link already.
    const given = to === "redis" ? decodeURI(url.pathname) : url.searchParams.get("host");
    const socket = to === "redis" ? given : join(given ?? "", socketNames.postgres);
    if (socket === null || socket === link.address) continue;
    link.leadTo(socket);
    if (to === "redis") url.pathname = encodeURI(link.address);
    else url.searchParams.set("host", dirname(link.address));
    writeFileSync(file, url.href, { mode: 0o600 });
  }
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
    settings(name, own) {
      const folder = dirname(own["SALLYPORT_CA_FILE"] ?? "");
      folders.set(name, folder);
      leadToServers(name, own, open);
      const file = join(folder, "clock-offset");
      // A process may read its own folder and the program, and nothing of the tests.
      copyFileSync(join(import.meta.dirname, preload), join(folder, preload));
      writeFileSync(file, "0");
      return {
        ...peersThroughLinks(name, own, open),
        ...unboundRecords(name),
        NODE_OPTIONS: `--import=${pathToFileURL(join(folder, preload)).href}`,
        CHAOS_CLOCK_FILE: file,
      };
    },
    setClock(name, offsetMs) {
      writeFileSync(join(folders.get(name) ?? "", "clock-offset"), String(offsetMs));
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
