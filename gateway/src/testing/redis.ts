import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";

/** A Redis of one test, which may lose its memory or go away; it keeps nothing over a restart. */
export type TestRedis = {
  readonly url: string;
  command(...words: [string, ...string[]]): Promise<unknown>;
  stop(): Promise<void>;
  /** Starts it again, with further settings if there are any. */
  start(...settings: string[]): Promise<void>;
} & AsyncDisposable;

/** Starts redis-server, else valkey-server, of the PATH on a Unix socket. */
export async function startTestRedis(): Promise<TestRedis> {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-redis-"));
  const socket = join(dir, "redis.sock");
  let child: ChildProcess | undefined;
  const command: TestRedis["command"] = async (...words) => {
    const redis = new Redis({ path: socket, lazyConnect: true, retryStrategy: () => null });
    redis.on("error", () => undefined); // The command tells.
    try {
      return await redis.call(...words);
    } finally {
      redis.disconnect();
    }
  };
  const start = async (...settings: string[]): Promise<void> => {
    const args = ["--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir];
    child = spawnServer([...args, ...settings]);
    for (let tries = 0; tries < 100; tries += 1) {
      if (await command("PING").catch(() => undefined)) return;
      await sleep(20);
    }
    throw new Error("Redis did not start: is redis-server on the PATH?");
  };
  const stop = async (): Promise<void> => {
    const ending = child;
    child = undefined;
    if (!ending || ending.exitCode !== null) return;
    await new Promise((resolve) => {
      ending.once("exit", resolve);
      ending.kill("SIGKILL");
    });
  };
  await start();
  return {
    url: `unix://${socket}`,
    command,
    start,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function spawnServer(args: string[]): ChildProcess {
  return spawn(
    "sh",
    ["-c", 'exec "$(command -v redis-server || command -v valkey-server)" "$@"', "sh", ...args],
    {
      stdio: "ignore",
    },
  );
}
