import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { exposeMetrics } from "@sallyport/telemetry";
import { seriesOf, testRedisUrl } from "@sallyport/test/infra";
import { afterEach, describe, expect, test } from "vitest";
import { type TestRedis, startTestRedis } from "../testing/redis.ts";
import { type Claim, type NonceStore, connectNonces } from "./nonces.ts";

let open: AsyncDisposableStack = new AsyncDisposableStack();
afterEach(async () => {
  await open.disposeAsync();
  open = new AsyncDisposableStack();
});

async function connect(url: string, windowSeconds = 60): Promise<NonceStore> {
  const nonces = open.use(connectNonces(url, windowSeconds));
  await nonces.ready();
  return nonces;
}

function claim(change: Partial<Claim> = {}): Claim {
  return {
    keyId: `mch_${randomBytes(8).toString("hex")}`,
    nonce: randomBytes(16).toString("base64url"),
    createdSeconds: Math.floor(Date.now() / 1000),
    limit: undefined,
    ...change,
  };
}

/** How many calls of Redis ended so, and how long all of them took. */
async function callsOfRedis(
  errorType: string,
): Promise<{ readonly count: number; readonly seconds: number }> {
  const series = seriesOf(await exposeMetrics());
  const labels = `{db_system_name="redis",db_operation_name="EVALSHA",error_type="${errorType}"}`;
  const [count = 0, seconds = 0] = ["count", "sum"].map(
    (what) => series.get(`db_client_operation_duration_seconds_${what}${labels}`) ?? 0,
  );
  return { count, seconds };
}

const unavailable = { reason: Reason.DEPENDENCY_UNAVAILABLE, retryAfterMs: 1000 };

describe("a nonce", () => {
  test("is good once, on whichever replica", async () => {
    const [one, other] = [await connect(testRedisUrl()), await connect(testRedisUrl())];
    const first = claim();
    expect(await one.admit(first)).toEqual({ kind: "admitted" });
    expect(await other.admit(first)).toEqual({ kind: "replayed" });
    expect(await one.admit({ ...first, keyId: claim().keyId })).toEqual({ kind: "admitted" });
  });

  test("admits one of many at the same moment", async () => {
    const nonces = await connect(testRedisUrl());
    const same = claim();
    const kinds = await Promise.all(Array.from({ length: 50 }, () => nonces.admit(same)));
    expect(kinds.filter(({ kind }) => kind === "admitted")).toHaveLength(1);
  });

  test("is kept until no request with it could be good any more", async () => {
    await using redis = await startTestRedis();
    const nonces = await connect(redis.url, 300);
    const { keyId, nonce, ...rest } = claim();
    await nonces.admit({ keyId, nonce, ...rest });
    expect(await redis.command("TTL", `gw:nonce:${keyId}:${nonce}`)).toBeGreaterThanOrEqual(600);
  });
});

test("a store that was disposed asks Redis nothing more", async () => {
  const nonces = connectNonces(testRedisUrl(), 60);
  await nonces.ready();
  await nonces[Symbol.asyncDispose]();
  await expect(nonces.admit(claim())).rejects.toMatchObject(unavailable);
});

describe("a rate", () => {
  const limit = (bucket: string) => ({ bucket, rate: { perSecond: 10, burst: 3 } });

  test("lets the burst through, tells the delay, and refills", async () => {
    const nonces = await connect(testRedisUrl());
    const bucket = `read:${claim().keyId}`;
    const admit = () => nonces.admit(claim({ limit: limit(bucket) }));
    for (let n = 0; n < 3; n += 1) expect(await admit()).toEqual({ kind: "admitted" });
    const refused = await admit();
    if (refused.kind !== "limited") throw new Error(refused.kind);
    expect(refused.waitMs).toBeGreaterThan(0);
    expect(refused.waitMs).toBeLessThanOrEqual(100);
    await sleep(refused.waitMs + 20);
    expect(await admit()).toEqual({ kind: "admitted" });
  });

  test("is counted by bucket, and a replay does not count", async () => {
    const nonces = await connect(testRedisUrl());
    const [one, other] = [`read:${claim().keyId}`, `read:${claim().keyId}`];
    const same = claim({ limit: limit(one) });
    for (let n = 0; n < 10; n += 1) await nonces.admit(same);
    expect(await nonces.admit(claim({ limit: limit(one) }))).toEqual({ kind: "admitted" });
    expect(await nonces.admit(claim({ limit: limit(one) }))).toEqual({ kind: "admitted" });
    expect(await nonces.admit(claim({ limit: limit(one) }))).toMatchObject({ kind: "limited" });
    expect(await nonces.admit(claim({ limit: limit(other) }))).toEqual({ kind: "admitted" });
  });
});

describe("a Redis that lost its memory", () => {
  test("flushed: refuses what was signed before, and says when signing anew will do", async () => {
    await using redis = await startTestRedis();
    const nonces = await connect(redis.url);
    const seen = claim();
    expect(await nonces.admit(seen)).toEqual({ kind: "admitted" });
    await redis.command("FLUSHALL");
    const refused = await nonces.admit(seen);
    if (refused.kind !== "before-epoch") throw new Error(refused.kind);
    expect(refused.waitMs).toBeLessThanOrEqual(1000);
    await sleep(Math.max(refused.waitMs, 0) + 20);
    expect(await nonces.admit(seen)).toMatchObject({ kind: "before-epoch" });
    expect(await nonces.admit(claim())).toEqual({ kind: "admitted" });
  });

  test("restarted: the same, without a new connection by us", async () => {
    await using redis = await startTestRedis();
    const nonces = await connect(redis.url);
    const seen = claim();
    await nonces.admit(seen);
    await redis.stop();
    await redis.start();
    await nonces.ready();
    expect(await nonces.admit(seen)).toMatchObject({ kind: "before-epoch" });
    expect(await nonces.admit(claim())).toEqual({ kind: "admitted" });
  });

  test("another server that kept an older epoch: begins its own", async () => {
    await using redis = await startTestRedis();
    const nonces = await connect(redis.url);
    const seen = claim();
    await nonces.admit(seen);
    const kept = await redis.command("KEYS", "gw:epoch:*");
    await redis.stop();
    await redis.start();
    for (const key of Array.isArray(kept) ? kept.map(String) : [])
      await redis.command("SET", key, "1");
    await nonces.ready();
    expect(await nonces.admit(seen)).toMatchObject({ kind: "before-epoch" });
  });
});

describe("a Redis that may forget", () => {
  const policies = [
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
  ];
  const set = (redis: TestRedis, policy: string) =>
    redis.command("CONFIG", "SET", "maxmemory-policy", policy);
  const refused = {
    name: "EvictionError",
    message: expect.stringContaining("to noeviction") as unknown,
  };

  test("is refused at the start, with what to set", async () => {
    await using redis = await startTestRedis();
    for (const policy of policies) {
      await set(redis, policy);
      const nonces = open.use(connectNonces(redis.url, 60));
      await expect(nonces.ready()).rejects.toMatchObject(refused);
      await expect(nonces.admit(claim())).rejects.toMatchObject(unavailable);
    }
    expect(await redis.command("KEYS", "gw:*")).toEqual([]);
  });

  test("after a fail-over lets nothing in", async () => {
    await using redis = await startTestRedis();
    const nonces = await connect(redis.url);
    expect(await nonces.admit(claim())).toEqual({ kind: "admitted" });
    await redis.stop();
    await redis.start("--maxmemory-policy", "allkeys-lru");
    const told = () => nonces.ready().catch((error: unknown) => error);
    await expect.poll(told, { timeout: 5000 }).toMatchObject(refused);
    await expect(nonces.admit(claim())).rejects.toMatchObject(unavailable);
    expect(await redis.command("KEYS", "gw:*")).toEqual([]);
  });

  test("since its settings changed lets nothing in, and serves again when they are right", async () => {
    await using redis = await startTestRedis();
    const nonces = await connect(redis.url);
    await set(redis, "volatile-ttl");
    await sleep(1_050);
    await expect(nonces.admit(claim())).rejects.toMatchObject(unavailable);
    await set(redis, "noeviction");
    expect(await nonces.admit(claim())).toEqual({ kind: "admitted" });
  });
});

describe("a Redis that is away", () => {
  test("is unavailable at once, and works again when it is back", async () => {
    await using redis = await startTestRedis();
    const nonces = await connect(redis.url);
    await redis.stop();
    const begun = performance.now();
    await expect(nonces.admit(claim())).rejects.toMatchObject(unavailable);
    expect(performance.now() - begun).toBeLessThan(2500);
    await expect(nonces.ready()).rejects.toMatchObject(unavailable);
    await redis.start();
    await expect
      .poll(() => nonces.ready().then(() => "ready", String), { timeout: 5000 })
      .toBe("ready");
  });

  test("that hangs is unavailable after a second", async () => {
    await using redis = await startTestRedis();
    const nonces = await connect(redis.url);
    await redis.command("CLIENT", "PAUSE", "3000", "ALL");
    const before = await callsOfRedis("connection");
    await expect(nonces.admit(claim())).rejects.toMatchObject(unavailable);
    const after = await callsOfRedis("connection");
    expect(after.count - before.count).toBe(1);
    expect(after.seconds - before.seconds).toBeGreaterThan(0.9);
    expect(after.seconds - before.seconds).toBeLessThan(2.5);
  });

  test("that wants another password is unavailable", async () => {
    await using redis = await startTestRedis();
    await redis.command("ACL", "SETUSER", "gateway", "on", ">right", "~gw:*", "+@all");
    const nonces = open.use(connectNonces(`${redis.url}?username=gateway&password=wrong`, 60));
    await expect(nonces.ready()).rejects.toMatchObject(unavailable);
    const right = open.use(connectNonces(`${redis.url}?username=gateway&password=right`, 60));
    await right.ready();
  });
});
