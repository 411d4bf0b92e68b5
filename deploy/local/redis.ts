import { accessSync, chmodSync, constants, mkdirSync, rmSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { claimDirectory, readLines } from "./claim.ts";
import { commandLine, isRunning, type StopStep, stopProcess } from "./process.ts";
import { type RedisUser, writeRedisConfig } from "./redis-config.ts";
import { isRedisReady } from "./redis-ready.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { makeSocketDirectory } from "./socket-directory.ts";

/** What startRedis needs; `appendOnly` keeps the data over a restart (default true). */
export type RedisOptions = {
  readonly dir: string;
  readonly users: readonly [RedisUser, ...RedisUser[]];
  readonly log: (line: string) => void;
  readonly appendOnly?: boolean;
  /** Given, a Redis that ends by itself is started again, and this is told why it ended. */
  readonly onRestart?: (sentence: string) => void;
};

/** A running Redis; stop() waits until it is down. */
export type Redis = ServerProcess & {
  readonly socketPath: string;
  /** Returns `unix:///path.sock?username=…&password=…` for that user; the path is the server's unless another is given. */
  url(user: RedisUser, path?: string): string;
};

/** Says that neither redis-server nor valkey-server is on the PATH. */
export class RedisMissingError extends Error {
  override name = "RedisMissingError";
}

const socketName = "redis.sock";
const stopSteps: readonly StopStep[] = [
  { signal: "SIGTERM", waitMs: 20_000 },
  { signal: "SIGKILL", waitMs: 5_000 },
];

/**
 * Starts Redis on a Unix socket only, with nobody but the given users. Stops a server that a killed supervisor left
 * behind; throws AlreadyRunningError while that supervisor lives, RedisMissingError without a server on the PATH.
 */
export async function startRedis(options: RedisOptions): Promise<Redis> {
  const { dir, users, log, appendOnly = true, onRestart } = options;
  const program = findRedisServer(process.env["PATH"] ?? "");
  const home = resolve(dir);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  chmodSync(home, 0o700);
  const release = claimDirectory(home);
  const cleanUp = [release];
  const finish = (): void => cleanUp.splice(0).forEach((step) => step());
  try {
    await stopLeftover(home);
    const sockets = makeSocketDirectory(home, socketName);
    cleanUp.push(() => sockets.remove());
    const socketPath = join(sockets.path, socketName);
    rmSync(socketPath, { force: true });
    const server = await startServerProcess({
      name: "Redis",
      program,
      args: [writeRedisConfig({ home, socketPath, users, appendOnly })],
      log,
      stopSteps,
      isReady: () => isRedisReady(socketPath, users[0]),
      onRestart,
    });
    const stop = (): Promise<void> => server.stop().finally(finish);
    return {
      exited: server.exited,
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

/** Returns the first redis-server, else valkey-server, of a PATH; throws RedisMissingError when it has neither. */
export function findRedisServer(path: string): string {
  const dirs = path.split(delimiter).filter((dir) => dir !== "");
  const candidates = ["redis-server", "valkey-server"].flatMap((name) => dirs.map((dir) => join(dir, name)));
  const found = candidates.find(isExecutable);
  if (found !== undefined) return found;
  throw new RedisMissingError("neither redis-server nor valkey-server is on the PATH: install one of them");
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A running server shows its socket, and before that its configuration file, as its command line. */
async function stopLeftover(home: string): Promise<void> {
  const pid = Number.parseInt(readLines(join(home, "redis.pid"))[0] ?? "", 10);
  if (!(pid > 0) || !isRunning(pid)) return;
  const socket = readLines(join(home, "redis.conf"))
    .find((line) => line.startsWith("unixsocket "))
    ?.split('"')[1];
  const shown = commandLine(pid);
  if (shown.includes(home) || (socket !== undefined && shown.includes(socket)))
    await stopProcess(pid, stopSteps);
}

function socketUrl(socketPath: string, { name, password }: RedisUser): string {
  return `unix://${encodeURI(socketPath)}?${new URLSearchParams({ username: name, password }).toString()}`;
}
