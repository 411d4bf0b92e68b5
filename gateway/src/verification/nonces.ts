import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Failure, fail } from "@sallyport/rpc";
import { histogram, inSpan } from "@sallyport/telemetry";
import type { Rate } from "@sallyport/rate-limit";
import { EvictionError, connectRedis } from "./redis.ts";

/**
 * The store's answer about a request: admitted, seen before, signed before the store's memory
 * began, or over the limit of its bucket.
 */
export type Admission =
  | { readonly kind: "admitted" }
  | { readonly kind: "replayed" }
  | { readonly kind: "before-epoch"; readonly waitMs: number }
  | { readonly kind: "limited"; readonly waitMs: number };

/** A verified request's claim to be admitted once; `bucket` is counted at `rate`. */
export type Claim = {
  readonly keyId: string;
  readonly nonce: string;
  readonly createdSeconds: number;
  readonly limit: { readonly bucket: string; readonly rate: Rate } | undefined;
};

/**
 * One round trip: epoch, nonce, rate. The epoch is the moment from which this Redis remembers every
 * nonce; it is kept under the server's run id, so after a restart, a flush or a fail-over it
 * restarts and older requests are refused.
 */
const admitScript = `
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local epoch = tonumber(redis.call('GET', KEYS[1]))
if not epoch then
  epoch = tonumber(time[1]) + 1
  redis.call('SET', KEYS[1], epoch)
end
if ARGV[1] == '' then return {'epoch', math.ceil((epoch - now) * 1000)} end
if tonumber(ARGV[1]) < epoch then return {'before-epoch', math.ceil((epoch - now) * 1000)} end
if not redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[2]) then return {'replayed', 0} end
if ARGV[3] == '' then return {'admitted', 0} end
local cost = 1 / tonumber(ARGV[3])
local full = math.max(tonumber(redis.call('GET', KEYS[3])) or 0, now) + cost
local wait = full - now - tonumber(ARGV[4]) * cost
if wait > 0 then return {'limited', math.ceil(wait * 1000)} end
redis.call('SET', KEYS[3], string.format('%.6f', full), 'PX', math.ceil((full - now) * 1000) + 1)
return {'admitted', 0}
`;

/** The gateway's memory of nonces, shared by its replicas. */
export type NonceStore = AsyncDisposable & {
  /** Lets a verified request in once. DEPENDENCY_UNAVAILABLE when Redis does not answer. */
  admit(claim: Claim): Promise<Admission>;
  /**
   * Resolves when Redis answers and the epoch has begun. EvictionError, which says what to set,
   * when it may forget nonces; nothing is admitted then.
   */
  ready(): Promise<void>;
};

type Answer = readonly [kind: string, waitMs: number];
type Scripted = Redis & { admit(...args: (string | number)[]): Promise<Answer> };

/** Connects to Redis; a nonce is kept for as long as the window lets a request with it through. */
export function connectNonces(redisUrl: string, windowSeconds: number): NonceStore {
  const { redis, runId } = connectRedis(redisUrl);
  redis.defineCommand("admit", { numberOfKeys: 3, lua: admitScript });

  async function run(...args: readonly (string | number)[]): Promise<Answer> {
    try {
      const epoch = `gw:epoch:${await runId()}`;
      return await measured(() => (redis as Scripted).admit(epoch, ...args));
    } catch (error) {
      throw fail(Reason.DEPENDENCY_UNAVAILABLE, {}, error);
    }
  }

  // The operator who starts a gateway sees which setting is wrong; a client does not.
  function forOperator(error: unknown): never {
    throw error instanceof Failure && error.cause instanceof EvictionError ? error.cause : error;
  }

  return {
    async admit({ keyId, nonce, createdSeconds, limit }) {
      const keys = [`gw:nonce:${keyId}:${nonce}`, `gw:rate:${limit?.bucket ?? ""}`];
      const { perSecond = "", burst = "" } = limit?.rate ?? {};
      // A request is good until its `created`, at most a window ahead of us, is a window behind.
      const lifetime = windowSeconds * 2 + 1;
      const [kind, waitMs] = await run(...keys, createdSeconds, lifetime, perSecond, burst);
      return admissionOf(kind, waitMs);
    },
    async ready() {
      const [, waitMs] = await run("gw:none", "gw:none", "", 0, "", "").catch(forOperator);
      await sleep(waitMs);
    },
    async [Symbol.asyncDispose]() {
      redis.disconnect();
    },
  };
}

const duration = histogram("db.client.operation.duration");
const command = { "db.system.name": "redis", "db.operation.name": "EVALSHA" } as const;

async function measured<T>(run: () => Promise<T>): Promise<T> {
  const begunMs = performance.now();
  let type = "connection";
  try {
    const answer = await inSpan({ name: "EVALSHA", kind: "client", attributes: command }, run);
    type = "";
    return answer;
  } finally {
    duration((performance.now() - begunMs) / 1000, { ...command, "error.type": type });
  }
}

function admissionOf(kind: string, waitMs: number): Admission {
  if (kind === "admitted" || kind === "replayed") return { kind };
  if (kind === "before-epoch" || kind === "limited") return { kind, waitMs };
  throw new Error(`the nonce script answered ${kind}`);
}
