import { Redis } from "ioredis";

/** A connection to Redis, and the run id of the server behind it: another one means that memory may be lost. */
export type RedisConnection = { readonly redis: Redis; readonly runId: () => Promise<string> };

/** Connects in the background: `redis://`, `rediss://` or `unix:///path.sock?username=…&password=…`. */
export function connectRedis(redisUrl: string): RedisConnection {
  const redis = openRedis(redisUrl);
  redis.on("error", () => undefined); // Each command reports its own failure; health reports the connection.
  return { redis, runId: trackRunId(redis) };
}

function openRedis(redisUrl: string): Redis {
  const options = {
    // A command that was sent when the connection broke may have run: it is reported, never sent again.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: 1000,
    connectTimeout: 2000,
    retryStrategy: (attempt: number) => Math.min(attempt * 50, 1000),
  };
  if (!redisUrl.startsWith("unix:")) return new Redis(redisUrl, options);
  const { pathname, searchParams } = new URL(redisUrl);
  const username = searchParams.get("username");
  const password = searchParams.get("password");
  return new Redis({
    ...options,
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    path: decodeURIComponent(pathname),
  });
}

// A new connection may lead to another server, or to the same one after a restart: ask each time, before any command.
function trackRunId(redis: Redis): () => Promise<string> {
  let current: Promise<string> | undefined;
  redis.on("close", () => (current = undefined));
  return () => {
    current ??= redis.info("server").then((text) => {
      const runId = /^run_id:(\w+)/m.exec(text)?.[1];
      if (runId === undefined) throw new Error("Redis told no run_id");
      return runId;
    });
    current.catch(() => (current = undefined));
    return current;
  };
}
