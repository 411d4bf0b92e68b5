import { expect, test } from "vitest";
import { standingAfter } from "./standing.ts";

test.each([
  { now: "active", told: "disabled", after: "disabled" },
  { now: "disabled", told: "active", after: "active" },
  { now: "active", told: "expired", after: "expired" },
  { now: "disabled", told: "revoked", after: "revoked" },
  { now: "expired", told: "revoked", after: "revoked" },
  { now: "revoked", told: "expired", after: "revoked" },
  { now: "revoked", told: "revoked", after: "revoked" },
  { now: "expired", told: "expired", after: "expired" },
  { now: "revoked", told: "active", after: undefined },
  { now: "revoked", told: "disabled", after: undefined },
  { now: "expired", told: "active", after: undefined },
  { now: "expired", told: "disabled", after: undefined },
] as const)("$now told to be $told: $after", ({ now, told, after }) => {
  expect(standingAfter(now, told)).toBe(after);
});
