import { Redis } from "ioredis";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";
import type { Rate } from "../limits.ts";

/** What the store says of a request: let in, seen before, signed before the store's memory began, or too many. */
export type Admission =
  | { readonly kind: "admitted" }
  | { readonly kind: "replayed" }
  | { readonly kind: "before-epoch" }
  | { readonly kind: "limited"; readonly retryAfterMs: number };

/** A verified request's claim to be let in once. Times in seconds. */
export type Claim = {
  readonly keyId: string;
  readonly nonce: string;
  readonly createdSeconds: number;
  readonly rate: Rate | undefined;
};

/**
 * One round trip: epoch, nonce, rate. The epoch is the moment from which this Redis remembers every nonce; it is kept
 * under the server's run id, so after a restart, a flush or a fail-over it begins anew and older requests are refused.
 */
const admitScript = `
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local epoch = tonumber(redis.call('GET', KEYS[1]))
if not epoch then
  epoch = tonumber(time[1]) + 1
  redis.call('SET', KEYS[1], epoch)
end
if ARGV[1] == '' then return {'epoch', tostring(epoch - now)} end
if tonumber(ARGV[1]) < epoch then return {'before-epoch', ''} end
if not redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[2]) then return {'replayed', ''} end
if ARGV[3] == '' then return {'admitted', ''} end
local cost = 1 / tonumber(ARGV[3])
local full = math.max(tonumber(redis.call('GET', KEYS[3])) or 0, now) + cost
local wait = full - now - tonumber(ARGV[4]) * cost
if wait > 0 then return {'limited', tostring(math.ceil(wait * 1000))} end
redis.call('SET', KEYS[3], string.format('%.6f', full), 'PX', math.ceil((full - now) * 1000) + 1)
return {'admitted', ''}
`;

/** The gateway's memory of nonces, shared by its replicas. */
export type NonceStore = AsyncDisposable & {
  /** Lets a verified request in once. DEPENDENCY_UNAVAILABLE when Redis does not answer. */
  admit(claim: Claim): Promise<Admission>;
  /** Resolves when Redis answers and the epoch has begun. */
  ready(): Promise<void>;
};

type Scripted = Redis & { admit(...args: (string | number)[]): Promise<[string, string]> };

/** Connects to Redis: `redis://`, `rediss://` or `unix:///path.sock?username=…&password=…`. */
export function connectNonces(redisUrl: string, windowSeconds: number): NonceStore {
  const redis = connectRedis(redisUrl);
  redis.on("error", () => undefined); // Each command reports its own failure; health reports the connection.
  redis.defineCommand("admit", { numberOfKeys: 3, lua: admitScript });
  const runId = trackRunId(redis);

  async function run(
    keys: readonly [string, string],
    args: readonly (string | number)[],
  ): Promise<[string, string]> {
    try {
      const epochKey = `gw:epoch:${await runId()}`;
      return await (redis as Scripted).admit(epochKey, ...keys, ...args);
    } catch (error) {
      throw fail(Reason.DEPENDENCY_UNAVAILABLE, { dependency: "redis" }, error);
    }
  }

  return {
    async admit({ keyId, nonce, createdSeconds, rate }) {
      const keys = [`gw:nonce:${keyId}:${nonce}`, `gw:rate:${keyId}`] as const;
      const lifetime = windowSeconds * 2 + 1;
      const [kind, value] = await run(keys, [
        createdSeconds,
        lifetime,
        rate?.perSecond ?? "",
        rate?.burst ?? "",
      ]);
      if (kind === "admitted" || kind === "replayed" || kind === "before-epoch") return { kind };
      return { kind: "limited", retryAfterMs: Number(value) };
    },
    async ready() {
      const [, secondsLeft] = await run(["gw:none", "gw:none"], ["", 0, "", ""]);
      if (Number(secondsLeft) > 0)
        await new Promise((resolve) => setTimeout(resolve, Number(secondsLeft) * 1000));
    },
    async [Symbol.asyncDispose]() {
      redis.disconnect();
    },
  };
}

function connectRedis(redisUrl: string): Redis {
  const options = {
    maxRetriesPerRequest: 0,
    commandTimeout: 1000,
    enableOfflineQueue: true,
    connectTimeout: 2000,
  };
  const retryStrategy = (attempt: number): number => Math.min(attempt * 50, 1000);
  if (!redisUrl.startsWith("unix:")) return new Redis(redisUrl, { ...options, retryStrategy });
  const { pathname, searchParams } = new URL(redisUrl);
  const username = searchParams.get("username");
  const password = searchParams.get("password");
  const user = username === null ? {} : { username };
  return new Redis({
    ...options,
    ...user,
    ...(password === null ? {} : { password }),
    path: pathname,
    retryStrategy,
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
