import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { beforeEach, describe, expect, test } from "vitest";
import type { RateClass } from "./rates.ts";
import { NoPlaceError, type Place, type Places, createPlaces } from "./concurrency-limiter.ts";

let nowMs: number;
let told: object[];
let places: Places;
beforeEach(() => {
  nowMs = 0;
  told = [];
  const logger = { warn: (fields: object) => void told.push(fields) };
  places = createPlaces({ most: 32, fewest: 16 }, () => nowMs, logger);
});

function take(address = "a", rateClass: RateClass = "read", principal?: string): Place {
  const place = places.open(rateClass, address);
  place.take();
  if (principal !== undefined) place.countFor(principal);
  return place;
}

/** Why it is refused; undefined where it is not. */
function reasonOf(run: () => unknown): Reason | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (!(error instanceof NoPlaceError)) throw error;
    expect(error.retryAfterMs).toBeGreaterThanOrEqual(500);
    expect(error.retryAfterMs).toBeLessThanOrEqual(1500);
    return error.reason;
  }
}

/** Works slowly until there are the fewest places. */
async function slowly(): Promise<void> {
  for (let n = 0; n < 10; n += 1) {
    const place = take();
    nowMs += 300;
    await place.work(async () => undefined);
  }
}

const { RATE_LIMITED, DEPENDENCY_UNAVAILABLE } = Reason;
const many = <T>(count: number, run: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => run(index));

describe("shares", () => {
  test("an address has half of the places, and others the rest", () => {
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
    expect(places.taken()).toBe(32);
  });

  test("shrink with the places", async () => {
    await slowly();
    expect(places.bound()).toBe(16);
    many(8, () => take("noisy"));
    expect(reasonOf(() => take("noisy"))).toBe(RATE_LIMITED);
    many(4, (index) => take(`address ${index}`));
    expect(reasonOf(() => take("another"))).toBe(DEPENDENCY_UNAVAILABLE);
  });

  test("are eight at least", async () => {
    await slowly();
    many(8, (index) => take(`address ${index}`, "read", "noisy"));
    expect(reasonOf(() => take("another", "read", "noisy"))).toBe(RATE_LIMITED);
  });
});

describe("a place", () => {
  test("is given back by whoever leaves, once", () => {
    const place = take("a", "read", "p");
    expect(places.taken()).toBe(1);
    void place.leave();
    void place.leave();
    expect(places.taken()).toBe(0);
    many(8, () => take("a", "read", "p"));
    expect(reasonOf(() => take("a", "read", "p"))).toBe(RATE_LIMITED);
  });

  test("that was refused is none", () => {
    many(16, () => take("noisy"));
    const refused = places.open("read", "noisy");
    expect(reasonOf(() => refused.take())).toBe(RATE_LIMITED);
    void refused.leave();
    expect(places.taken()).toBe(16);
    expect(reasonOf(() => take("noisy"))).toBe(RATE_LIMITED);
  });

  test("of a principal that has its share stays taken until it is left", () => {
    many(8, () => take("a", "read", "p"));
    const refused = places.open("read", "a");
    refused.take();
    expect(reasonOf(() => refused.countFor("p"))).toBe(RATE_LIMITED);
    expect(places.taken()).toBe(9);
    void refused.leave();
    expect(places.taken()).toBe(8);
  });

  test("is kept while work is done in it, whoever leaves", async () => {
    const place = take();
    const { promise, resolve } = Promise.withResolvers<string>();
    const done = place.work(() => promise);
    void place.leave();
    expect(places.taken()).toBe(1);
    resolve("done");
    expect(await done).toBe("done");
    expect(places.taken()).toBe(0);
  });

  test("is given back by its work, but the principal's share only by whoever leaves", async () => {
    const held = many(8, () => take("a", "read", "p"));
    await Promise.all(held.map((place) => place.work(async () => undefined)));
    expect(places.taken()).toBe(0);
    expect(reasonOf(() => take("a", "read", "p"))).toBe(RATE_LIMITED);
    await Promise.all(held.map((place) => place.leave()));
    expect(reasonOf(() => take("a", "read", "p"))).toBe(undefined);
  });

  test("is given back by work that fails", async () => {
    const place = take();
    await expect(place.work(() => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    expect(places.taken()).toBe(0);
  });

  test("is taken again by work that begins after it was left", async () => {
    const place = take();
    void place.leave();
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = place.work(() => promise);
    expect(places.taken()).toBe(1);
    resolve();
    await done;
    expect(places.taken()).toBe(0);
  });
});

test("the operator is told of a crowd once in 10 seconds, with how many were refused", () => {
  const crowd = () => many(24, (index) => take(`address ${index}`));
  const held = crowd();
  many(5, () => reasonOf(() => take("another")));
  expect(told).toEqual([{ refused: 1 }]);
  nowMs += 10_000;
  many(2, () => reasonOf(() => take("another")));
  expect(told).toEqual([{ refused: 1 }, { refused: 5 }]);
  for (const place of held) void place.leave();
});
