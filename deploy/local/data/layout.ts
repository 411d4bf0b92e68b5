import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

/** The five services, in the order in which they start; the gateway comes after them. */
export const services = ["audit", "crypto", "policy", "secrets", "identity"] as const;
/** One of the five services. */
export type Service = (typeof services)[number];
/** One of the six processes. */
export type Process = Service | "gateway";
/** All six processes, in the order in which they start. */
export const processes: readonly Process[] = [...services, "gateway"];
/** The services that own a database. */
export const databaseOwners = ["audit", "policy", "secrets", "identity"] as const;
/** One of them. */
export type DatabaseOwner = (typeof databaseOwners)[number];

/** The trust domain of the embedded default. */
export const trustDomain = "sallyport.local";

/** The folders of one deployment. Each process reads its own folder and no other. */
export type Layout = {
  readonly data: string;
  readonly postgres: string;
  readonly redis: string;
  readonly authorities: string;
  readonly root: string;
  /** The signer of keysets, and the newest keyset. */
  readonly keyset: string;
  readonly owner: string;
  readonly operator: string;
  readonly demo: string;
  readonly logs: string;
  /** The supervisor's own: what migrations connect with, the ceremony's marker. */
  readonly supervisor: string;
  folder(process: Process): string;
};

/** Lays out a data directory and makes its folders, all 0700 but the way to Postgres. */
export function layOut(dataDir: string): Layout {
  const data = resolve(dataDir);
  mkdirSync(data, { recursive: true, mode: 0o711 });
  const make = (name: string): string => {
    const path = join(data, name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  };
  for (const name of processes) make(name);
  return {
    data,
    postgres: join(data, "postgres"),
    redis: join(data, "redis"),
    authorities: make("authorities"),
    root: make("root"),
    keyset: make("keyset"),
    owner: make("owner"),
    operator: make("operator"),
    demo: join(data, "demo"),
    logs: make("logs"),
    supervisor: make("supervisor"),
    folder: (name) => join(data, name),
  };
}
