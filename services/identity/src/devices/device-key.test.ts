import { expect, test } from "vitest";
import { deviceKeyLifetimeMs, endOf, renewedKeyMs, standingOf } from "./device-key.ts";

const nowMs = 1_800_000_000_000;
const key = { expiresAt: new Date(nowMs + 600_000), renewedAt: null, revokedAt: null };

test("a device key lives 90 days, and 5 minutes after it was renewed", () => {
  expect([deviceKeyLifetimeMs, renewedKeyMs]).toEqual([7_776_000_000, 300_000]);
});

test("a key works until the instant of its end", () => {
  expect(standingOf(key, nowMs + 599_999)).toBe("active");
  expect(standingOf(key, nowMs + 600_000)).toBe("expired");
});

test("a renewed key ends 5 minutes later, but never after its own end", () => {
  const renewed = { ...key, renewedAt: new Date(nowMs) };
  expect(endOf(renewed)).toEqual(new Date(nowMs + 300_000));
  expect(standingOf(renewed, nowMs + 299_999)).toBe("active");
  expect(standingOf(renewed, nowMs + 300_000)).toBe("expired");
  const late = { ...key, renewedAt: new Date(nowMs + 599_000) };
  expect(endOf(late)).toEqual(key.expiresAt);
});

test("a revoked key is revoked, before and after its end", () => {
  const revoked = { ...key, revokedAt: new Date(nowMs) };
  for (const at of [nowMs - 1, nowMs, nowMs + 600_000])
    expect(standingOf(revoked, at)).toBe("revoked");
});
