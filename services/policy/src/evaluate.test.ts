import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { describe, expect, test } from "vitest";
import { type Principal, type ReadFacts, evaluate } from "./evaluate.ts";

const now = 1_800_000_000_000;
const active: Principal = { status: "active", expiresAtMs: now + 1 };
const current = { namedVersion: false, sealed: false, nowMs: now };
const granted: ReadFacts = {
  principal: active,
  member: true,
  granted: true,
  anyVersion: false,
  sealedOnly: false,
};

describe("evaluate", () => {
  test.each([
    { name: "member and granted", facts: granted, want: Reason.UNSPECIFIED },
    {
      name: "membership without grant",
      facts: { ...granted, granted: false },
      want: Reason.NOT_GRANTED,
    },
    {
      name: "grant without membership",
      facts: { ...granted, member: false },
      want: Reason.NOT_GRANTED,
    },
    {
      name: "unknown machine",
      facts: { ...granted, principal: undefined },
      want: Reason.NOT_GRANTED,
    },
    {
      name: "disabled machine",
      facts: { ...granted, principal: { ...active, status: "disabled" as const } },
      want: Reason.MACHINE_DISABLED,
    },
    {
      name: "revoked machine",
      facts: { ...granted, principal: { ...active, status: "revoked" as const } },
      want: Reason.MACHINE_DISABLED,
    },
    {
      name: "machine stored as expired, before its time by our clock",
      facts: { ...granted, principal: { ...active, status: "expired" as const } },
      want: Reason.MACHINE_EXPIRED,
    },
    {
      name: "the instant of expiry",
      facts: { ...granted, principal: { ...active, expiresAtMs: now } },
      want: Reason.MACHINE_EXPIRED,
    },
    {
      name: "disabled and expired",
      facts: { ...granted, principal: { status: "disabled" as const, expiresAtMs: now } },
      want: Reason.MACHINE_DISABLED,
    },
  ])("$name", ({ facts, want }) => {
    expect(evaluate(facts, current)).toBe(want);
  });

  test.each([
    {
      name: "a grant of any version",
      facts: { ...granted, anyVersion: true },
      want: Reason.UNSPECIFIED,
    },
    { name: "a grant of the current version", facts: granted, want: Reason.NOT_GRANTED },
    {
      name: "any version, but no grant",
      facts: { ...granted, granted: false, anyVersion: true },
      want: Reason.NOT_GRANTED,
    },
    {
      name: "any version, but no membership",
      facts: { ...granted, member: false, anyVersion: true },
      want: Reason.NOT_GRANTED,
    },
  ])("a named version: $name", ({ facts, want }) => {
    expect(evaluate(facts, { ...current, namedVersion: true })).toBe(want);
  });

  const sealedOnly = { ...granted, sealedOnly: true };
  test.each([
    { name: "unsealed", facts: sealedOnly, sealed: false, want: Reason.SEALING_REQUIRED },
    { name: "sealed", facts: sealedOnly, sealed: true, want: Reason.UNSPECIFIED },
    {
      name: "unsealed, but not granted: nothing is told of it",
      facts: { ...sealedOnly, granted: false },
      sealed: false,
      want: Reason.NOT_GRANTED,
    },
    {
      name: "unsealed, of no member: nothing is told of it",
      facts: { ...sealedOnly, member: false },
      sealed: false,
      want: Reason.NOT_GRANTED,
    },
  ])("what is read sealed only, $name", ({ facts, sealed, want }) => {
    expect(evaluate(facts, { ...current, sealed })).toBe(want);
  });

  test("a version out of reach is not granted, whether sealed or not", () => {
    const asked = { ...current, namedVersion: true };
    expect(evaluate(sealedOnly, asked)).toBe(Reason.NOT_GRANTED);
    expect(evaluate(sealedOnly, { ...asked, sealed: true })).toBe(Reason.NOT_GRANTED);
  });

  test("a millisecond before expiry is allowed", () => {
    expect(evaluate(granted, current)).toBe(Reason.UNSPECIFIED);
    expect(evaluate(granted, { ...current, nowMs: now + 1 })).toBe(Reason.MACHINE_EXPIRED);
  });
});
