import { chmodSync, chownSync, mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Account, postgresAccount } from "../host/account.ts";
import { claimDirectory, readLines } from "../data/claim.ts";
import { provideBinaries, openCluster } from "./postgres-cluster.ts";
import { commandLine, isRunning, type StopStep, stopProcess } from "../host/process.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { makeSocketDirectory } from "./socket-directory.ts";

/**
 * Options of startPostgres; `durable: false` gives up crash safety for speed, which suits tests
 * only.
 */
export type PostgresOptions = {
  readonly dataDir: string;
  readonly log: (line: string) => void;
  readonly durable?: boolean;
  /**
   * The groups that clients run as, by name: each gets a socket that no other may reach. Without,
   * one is for all.
   */
  readonly clients?: Readonly<Record<string, number>>;
  /** Called with the reason when the server ends without stop(). It is not restarted. */
  readonly onEnd?: (sentence: string) => void;
};

/** A running Postgres; stop() waits until it is down. */
export type Postgres = ServerProcess & {
  /** The folder of the socket that is for a client. */
  socketDir(client: string): string;
  readonly port: number;
  superuserUrl(database?: string): string;
};

const port = 5432; // only a part of the socket's file name: nothing listens on TCP
const own = "own"; // the supervisor's and Postgres's
const stopSteps: readonly StopStep[] = [
  { signal: "SIGINT", waitMs: 20_000 },
  { signal: "SIGQUIT", waitMs: 10_000 },
];

/**
 * Starts Postgres on a Unix socket only and keeps its data in dataDir, made when missing. Stops a
 * server that a killed supervisor left behind; throws AlreadyRunningError while that supervisor
 * lives.
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const { dataDir, log, durable = true, clients = {}, onEnd } = options;
  const dir = resolve(dataDir);
  const account = postgresAccount();
  mkdirSync(dir, { recursive: true, mode: account === undefined ? 0o700 : 0o711 });
  const release = claimDirectory(dir);
  const cleanUp = [release];
  const finish = (): void => cleanUp.splice(0).forEach((step) => step());
  try {
    const program = join(dir, "program");
    cleanUp.push(() => rmSync(program, { recursive: true, force: true }));
    const binaries = provideBinaries(account, program);
    const cluster = await openCluster(dir, { binaries, account, durable });
    await stopLeftover(cluster.path);
    const sockets = makeSockets(join(dir, "socket"), account, clients);
    cleanUp.push(() => sockets.remove());
    const server = await startServerProcess({
      name: "Postgres",
      program: binaries.postgres,
      args: ["-D", cluster.path, ...serverSettings(sockets.paths, durable)],
      account,
      log,
      stopSteps,
      isReady: (pid) => isReady(pid, cluster.path),
      onEnd,
    });
    const stop = (): Promise<void> => server.stop().finally(finish);
    return {
      start: () => server.start(),
      stop,
      [Symbol.asyncDispose]: stop,
      socketDir: (client) => sockets.path(client),
      port,
      superuserUrl: (database = "postgres") =>
        socketUrl(sockets.path(own), cluster.password, database),
    };
  } catch (error) {
    finish();
    throw error;
  }
}

type Sockets = {
  readonly paths: readonly string[];
  path(client: string): string;
  remove(): void;
};

/**
 * A folder with a socket for this process, and one for each client that only the client's group may
 * enter.
 */
function makeSockets(
  dir: string,
  account: Account | undefined,
  clients: NonNullable<PostgresOptions["clients"]>,
): Sockets {
  mkdirSync(dir, { recursive: true });
  if (account !== undefined) chownSync(dir, 0, 0);
  chmodSync(dir, account === undefined ? 0o700 : 0o711);
  const groups = Object.entries({ ...clients, [own]: account?.gid ?? 0 });
  const made = groups.map(([name, gid]) => {
    const reach = account && { uid: account.uid, gid };
    return [name, makeSocketDirectory(join(dir, name), `.s.PGSQL.${port}`, reach)] as const;
  });
  const byName = new Map(made);
  return {
    paths: made.map(([, { path }]) => path),
    path: (client) => (byName.get(client) ?? byName.get(own))?.path ?? "",
    remove: () => made.forEach(([, folder]) => folder.remove()),
  };
}

function serverSettings(socketDirs: readonly string[], durable: boolean): string[] {
  const settings = [
    "listen_addresses=",
    `port=${port}`,
    `unix_socket_directories=${socketDirs.map((path) => `"${path}"`).join(",")}`,
    "unix_socket_permissions=0770",
    "max_connections=200",
    // Security: a failing statement may carry what a caller sent; the log gets the error and not
    // its text.
    "log_min_error_statement=panic",
    // After a crash one call syncs all files; file by file it takes seconds, in which nothing is
    // served.
    ...(process.platform === "linux" ? ["recovery_init_sync_method=syncfs"] : []),
    ...(durable ? [] : ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]),
  ];
  return settings.flatMap((setting) => ["-c", setting]);
}

/** The status line of postmaster.pid is what pg_ctl waits for, too. */
function isReady(pid: number, cluster: string): boolean {
  const lines = readLines(join(cluster, "postmaster.pid"));
  return lines[0] === String(pid) && lines[7]?.trim() === "ready";
}

async function stopLeftover(cluster: string): Promise<void> {
  const pid = Number.parseInt(readLines(join(cluster, "postmaster.pid"))[0] ?? "", 10);
  if (pid > 0 && isRunning(pid) && commandLine(pid).includes(cluster))
    await stopProcess(pid, stopSteps);
}

function socketUrl(socketDir: string, password: string, database: string): string {
  const query = `host=${encodeURIComponent(socketDir)}&port=${port}`;
  return `postgres://postgres:${password}@localhost/${database}?${query}`;
}
