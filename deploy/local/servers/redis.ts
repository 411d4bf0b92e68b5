import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Account } from "../host/account.ts";
import { claimDirectory, readLines } from "../data/claim.ts";
import { giveTree, letRead } from "../data/ownership.ts";
import { commandLine, isRunning, type StopStep, stopProcess } from "../host/process.ts";
import { type RedisUser, writeRedisConfig } from "./redis-config.ts";
import { isRedisReady } from "./redis-ready.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { makeSocketDirectory } from "./socket-directory.ts";
import { findProgram } from "../host/system-program.ts";

/** Options of startRedis; `appendOnly` keeps the data over a restart (default true). */
export type RedisOptions = {
  readonly dir: string;
  readonly users: readonly [RedisUser, ...RedisUser[]];
  readonly log: (line: string) => void;
  /**
   * Its own account, and the group that may reach its socket; without, it runs as this process's
   * user.
   */
  readonly account?: (Account & { readonly clientGid: number }) | undefined;
  readonly appendOnly?: boolean;
  /** Called with the reason when the server ends without stop(). It is not restarted. */
  readonly onEnd?: (sentence: string) => void;
};

/** A running Redis; stop() waits until it is down. */
export type Redis = ServerProcess & {
  readonly socketPath: string;
  /**
   * Returns `unix:///path.sock?username=…&password=…` for that user; the path is the server's
   * unless another is given.
   */
  url(user: RedisUser, path?: string): string;
};

/** Says that the system has neither redis-server nor valkey-server. */
export class RedisMissingError extends Error {
  override name = "RedisMissingError";
}

const socketName = "redis.sock";
const stopSteps: readonly StopStep[] = [
  { signal: "SIGTERM", waitMs: 20_000 },
  { signal: "SIGKILL", waitMs: 5_000 },
];

/**
 * Starts Redis on a Unix socket only, with the given users only. Stops a server that a killed
 * supervisor left behind; throws AlreadyRunningError while that supervisor lives, RedisMissingError
 * where no server is installed. Of the directory it may read the configuration, which root owns,
 * and write nothing but `data` and its socket.
 */
export async function startRedis(options: RedisOptions): Promise<Redis> {
  const { dir, users, log, account, appendOnly = true, onEnd } = options;
  const program = findRedisServer();
  const home = resolve(dir);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  chmodSync(home, 0o700);
  const release = claimDirectory(home);
  const cleanUp = [release];
  const finish = (): void => cleanUp.splice(0).forEach((step) => step());
  try {
    await stopLeftover(home);
    const data = dataFolder(home);
    const reach = account && { uid: account.uid, gid: account.clientGid };
    const sockets = makeSocketDirectory(join(home, "socket"), socketName, reach);
    cleanUp.push(() => sockets.remove());
    const socketPath = join(sockets.path, socketName);
    rmSync(socketPath, { force: true });
    const config = writeRedisConfig({ home, data, socketPath, users, appendOnly });
    if (account !== undefined) {
      letRead(home, account);
      chmodSync(home, 0o711); // The gateway passes through to the socket.
      giveTree(data, account);
    }
    const server = await startServerProcess({
      name: "Redis",
      program,
      args: [config],
      account: account && { uid: account.uid, gid: account.gid },
      log,
      stopSteps,
      isReady: () => isRedisReady(socketPath, users[0]),
      onEnd,
    });
    const stop = (): Promise<void> => server.stop().finally(finish);
    return {
      start: () => server.start(),
      stop,
      [Symbol.asyncDispose]: stop,
      socketPath,
      url: (user, path = socketPath) => socketUrl(path, user),
    };
  } catch (error) {
    finish();
    throw error;
  }
}

/**
 * Returns the path of the system's redis-server, else valkey-server; throws RedisMissingError when
 * it has neither.
 */
export function findRedisServer(folders?: readonly string[]): string {
  const found = findProgram(["redis-server", "valkey-server"], folders);
  if (found !== undefined) return found;
  throw new RedisMissingError(
    "neither redis-server nor valkey-server is installed: install one of them",
  );
}

// Earlier starts kept the data beside the configuration.
function dataFolder(home: string): string {
  const data = join(home, "data");
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const [earlier, kept] = [join(home, "appendonlydir"), join(data, "appendonlydir")];
  if (existsSync(earlier) && !existsSync(kept)) renameSync(earlier, kept);
  return data;
}

/**
 * A running server shows its socket, and before that its configuration file, as its command line.
 */
async function stopLeftover(home: string): Promise<void> {
  const pid = Number.parseInt(readLines(join(home, "data", "redis.pid"))[0] ?? "", 10);
  if (!(pid > 0) || !isRunning(pid)) return;
  const socket = readLines(join(home, "redis.conf"))
    .find((line) => line.startsWith("unixsocket "))
    ?.split('"')[1];
  const shown = commandLine(pid);
  if (shown.includes(home) || (socket !== undefined && shown.includes(socket)))
    await stopProcess(pid, stopSteps);
}

function socketUrl(socketPath: string, { name, password }: RedisUser): string {
  const query = new URLSearchParams({ username: name, password }).toString();
  return `unix://${encodeURI(socketPath)}?${query}`;
}
