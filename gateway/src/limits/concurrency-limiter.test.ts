import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { beforeEach, describe, expect, test } from "vitest";
import type { RateClass } from "./rates.ts";
import { defaultLimits } from "./settings.ts";
import {
  type ConcurrencyLimiter,
  ConcurrencyLimitError,
  type ConcurrencySlot,
  createConcurrencyLimiter,
} from "./concurrency-limiter.ts";

let nowMs: number;
let told: object[];
let limiter: ConcurrencyLimiter;
beforeEach(() => {
  nowMs = 0;
  told = [];
  const logger = { warn: (fields: object) => void told.push(fields) };
  limiter = createConcurrencyLimiter(
    { ...defaultLimits, concurrencyLimit: 32 },
    () => nowMs,
    logger,
  );
});

function take(address = "a", rateClass: RateClass = "read", principal?: string): ConcurrencySlot {
  const slot = limiter.acquire(rateClass, address);
  if (principal !== undefined) slot.countFor(principal);
  return slot;
}

const dispose = (slot: ConcurrencySlot): Promise<void> =>
  Promise.resolve(slot[Symbol.asyncDispose]());

/** Why it is refused; undefined where it is not. */
function reasonOf(run: () => unknown): Reason | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (!(error instanceof ConcurrencyLimitError)) throw error;
    expect(error.retryAfterMs).toBeGreaterThanOrEqual(500);
    expect(error.retryAfterMs).toBeLessThanOrEqual(1500);
    return error.reason;
  }
}

const { RATE_LIMITED, DEPENDENCY_UNAVAILABLE } = Reason;
const many = <T>(count: number, run: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => run(index));

describe("shares", () => {
  test("an address has half of the slots, and others the rest", () => {
    many(16, () => take("noisy"));
    expect(reasonOf(() => take("noisy"))).toBe(RATE_LIMITED);
    many(8, () => take("other"));
    expect(reasonOf(() => take("noisy"))).toBe(RATE_LIMITED);
  });

  test("a /48 has five eighths, from however many of its addresses, and others the rest of the reads", () => {
    many(20, (index) => take(`2001:db8:1:${index}::/64`));
    expect(reasonOf(() => take("2001:db8:1:99::/64"))).toBe(RATE_LIMITED);
    many(4, () => take("2001:db8:2:0::/64"));
    expect(reasonOf(() => take("2001:db8:3:0::/64"))).toBe(DEPENDENCY_UNAVAILABLE);
  });

  test("a principal has a quarter, from wherever it asks, and others the rest", () => {
    many(8, (index) => take(`address ${index}`, "read", "noisy"));
    expect(reasonOf(() => take("elsewhere", "read", "noisy"))).toBe(RATE_LIMITED);
    expect(reasonOf(() => take("elsewhere", "read", "other"))).toBe(undefined);
  });

  test("methods of a class have three quarters, and those of another the rest", () => {
    many(24, (index) => take(`address ${index}`, "read"));
    expect(reasonOf(() => take("another", "read"))).toBe(DEPENDENCY_UNAVAILABLE);
    many(8, (index) => take(`address ${index}`, "manage"));
    expect(reasonOf(() => take("another", "manage"))).toBe(DEPENDENCY_UNAVAILABLE);
    expect(limiter.taken()).toBe(32);
  });

  test("are eight at least", () => {
    limiter = createConcurrencyLimiter(
      { ...defaultLimits, concurrencyLimit: 16, addressPercent: 100 },
      () => nowMs,
      { warn: () => undefined },
    );
    many(8, () => take("a", "read", "noisy"));
    expect(reasonOf(() => take("another", "read", "noisy"))).toBe(RATE_LIMITED);
    expect(reasonOf(() => take("another", "read", "other"))).toBe(undefined);
  });

  test("are what the settings say", () => {
    limiter = createConcurrencyLimiter(
      {
        concurrencyLimit: 40,
        addressPercent: 25,
        principalPercent: 50,
        classPercent: 100,
      },
      () => nowMs,
      { warn: () => undefined },
    );
    many(10, () => take("noisy"));
    expect(reasonOf(() => take("noisy"))).toBe(RATE_LIMITED);
    many(20, (index) => take(`address ${index}`, "read", "busy"));
    expect(reasonOf(() => take("elsewhere", "read", "busy"))).toBe(RATE_LIMITED);
    many(9, (index) => take(`address ${index}`));
    expect(reasonOf(() => take("another"))).toBe(DEPENDENCY_UNAVAILABLE);
    expect(limiter.taken()).toBe(40);
  });
});

describe("a slot", () => {
  test("is given back when it is disposed of, once", () => {
    const slot = take("a", "read", "p");
    expect(limiter.taken()).toBe(1);
    void dispose(slot);
    void dispose(slot);
    expect(limiter.taken()).toBe(0);
    many(8, () => take("a", "read", "p"));
    expect(reasonOf(() => take("a", "read", "p"))).toBe(RATE_LIMITED);
  });

  test("that was refused takes none", () => {
    many(16, () => take("noisy"));
    expect(reasonOf(() => take("noisy"))).toBe(RATE_LIMITED);
    expect(limiter.taken()).toBe(16);
    expect(reasonOf(() => take("noisy"))).toBe(RATE_LIMITED);
  });

  test("of a principal that has its share stays taken until it is disposed of", () => {
    many(8, () => take("a", "read", "p"));
    const refused = take("a");
    expect(reasonOf(() => refused.countFor("p"))).toBe(RATE_LIMITED);
    expect(limiter.taken()).toBe(9);
    void dispose(refused);
    expect(limiter.taken()).toBe(8);
  });

  test("is kept while work runs in it, also when it is disposed of", async () => {
    const slot = take();
    const { promise, resolve } = Promise.withResolvers<string>();
    const done = slot.run(() => promise);
    void dispose(slot);
    expect(limiter.taken()).toBe(1);
    resolve("done");
    expect(await done).toBe("done");
    expect(limiter.taken()).toBe(0);
  });

  test("is freed by its work, but the principal's share only when it is disposed of", async () => {
    const held = many(8, () => take("a", "read", "p"));
    await Promise.all(held.map((slot) => slot.run(async () => undefined)));
    expect(limiter.taken()).toBe(0);
    expect(reasonOf(() => take("a", "read", "p"))).toBe(RATE_LIMITED);
    await Promise.all(held.map(dispose));
    expect(reasonOf(() => take("a", "read", "p"))).toBe(undefined);
  });

  test("is freed by work that fails", async () => {
    const slot = take();
    await expect(slot.run(() => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    expect(limiter.taken()).toBe(0);
  });

  test("is taken again by work that begins after it was disposed of", async () => {
    const slot = take();
    void dispose(slot);
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = slot.run(() => promise);
    expect(limiter.taken()).toBe(1);
    resolve();
    await done;
    expect(limiter.taken()).toBe(0);
  });
});

test("one warning per 10 seconds says how many requests were refused", () => {
  const crowd = () => many(24, (index) => take(`address ${index}`));
  const held = crowd();
  many(5, () => reasonOf(() => take("another")));
  expect(told).toEqual([{ refused: 1 }]);
  nowMs += 10_000;
  many(2, () => reasonOf(() => take("another")));
  expect(told).toEqual([{ refused: 1 }, { refused: 5 }]);
  for (const slot of held) void dispose(slot);
});
