import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { expect, test } from "vitest";
import { createContentMemory } from "./content-memory.ts";

const limited: unknown = expect.objectContaining({
  reason: Reason.RATE_LIMITED,
  retryAfterMs: 1000,
});

test("an address has a sixteenth, to its last byte, and others theirs", () => {
  const memory = createContentMemory(160);
  memory.open("a").take(4);
  const more = memory.open("a");
  more.take(6);
  expect(() => more.take(1)).toThrow(limited);
  memory.open("b").take(10);
  expect(memory.used()).toBe(20);
});

test("all addresses together have all of it", () => {
  const memory = createContentMemory(160);
  for (let n = 0; n < 16; n += 1) memory.open(`address ${n}`).take(10);
  expect(() => memory.open("another").take(1)).toThrow(limited);
  expect(memory.used()).toBe(160);
});

test("what is taken is given back once, and what was refused never was taken", () => {
  const memory = createContentMemory(160);
  const kept = memory.open("a");
  kept.take(3);
  {
    using request = memory.open("a");
    request.take(7);
    expect(() => request.take(1)).toThrow(limited);
    request[Symbol.dispose]();
  }
  expect(memory.used()).toBe(3);
  memory.open("a").take(7);
});

test("a /48 has a quarter, however many of its /64s ask, and other networks theirs", () => {
  const memory = createContentMemory(160);
  for (let n = 0; n < 4; n += 1) memory.open(`2001:db8:1:${n}::/64`).take(10);
  expect(() => memory.open("2001:db8:1:ffff::/64").take(1)).toThrow(limited);
  memory.open("2001:db8:2:0::/64").take(10);
  memory.open("192.0.2.1").take(10);
  expect(memory.used()).toBe(60);
});
