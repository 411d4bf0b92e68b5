import { Redis } from "ioredis";

/**
 * A connection to Redis, and the run id of the server behind it: another one means that memory may
 * be lost. Rejects with EvictionError while that server may evict keys that it must keep.
 */
export type RedisConnection = { readonly redis: Redis; readonly runId: () => Promise<string> };

/**
 * Redis evicts keys when its memory is full: the nonces of requests that would be admitted again.
 */
export class EvictionError extends Error {
  override readonly name = "EvictionError";
  constructor(policy: string) {
    super(
      `Redis has maxmemory-policy ${policy} and may forget requests that were admitted: ` +
        "set maxmemory-policy to noeviction on every server that the gateway may reach",
    );
  }
}

/**
 * Connects in the background: `redis://`, `rediss://` or `unix:///path.sock?username=…&password=…`.
 */
export function connectRedis(redisUrl: string): RedisConnection {
  const redis = openRedis(redisUrl);
  // Each command reports its own failure; health reports the connection.
  redis.on("error", () => undefined);
  return { redis, runId: trackRunId(redis) };
}

function openRedis(redisUrl: string): Redis {
  const options = {
    // A command that was sent when the connection broke may have run: it is reported, never sent
    // again.
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

const freshMs = 1_000;

// A new connection may lead to another server, or to the same one after a restart: ask each time,
// before any command. A policy can also change without a new connection: ask each second.
function trackRunId(redis: Redis): () => Promise<string> {
  let current: Promise<string> | undefined;
  let askedMs = 0;
  redis.on("close", () => (current = undefined));
  return () => {
    if (!current || performance.now() - askedMs >= freshMs) {
      askedMs = performance.now();
      current = identify(redis);
      current.catch(() => (current = undefined));
    }
    return current;
  };
}

async function identify(redis: Redis): Promise<string> {
  const [server, memory] = await Promise.all([redis.info("server"), redis.info("memory")]);
  const runId = /^run_id:(\w+)/m.exec(server)?.[1];
  const policy = /^maxmemory_policy:([\w-]+)/m.exec(memory)?.[1];
  if (runId === undefined) throw new Error("Redis reported no run_id");
  if (policy !== "noeviction") throw new EvictionError(policy ?? "unknown");
  return runId;
}
