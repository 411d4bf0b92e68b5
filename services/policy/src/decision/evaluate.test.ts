import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { PrincipalKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { Purpose } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { describe, expect, test } from "vitest";
import { type Principal, type ReadFacts, evaluate } from "./evaluate.ts";
import { readClaims, readContext } from "../testing/context.ts";

const now = 1_800_000_000_000;
const active: Principal = { status: "active", expiresAtMs: now + 1 };
const current = readContext({ nowMs: now });
const granted: ReadFacts = {
  secretId: "sec_a",
  principal: active,
  member: true,
  granted: true,
  anyVersion: false,
  sealedOnly: false,
};

function reasonOf(facts: ReadFacts, changes: Parameters<typeof readContext>[0] = {}): Reason {
  const verdict = evaluate(facts, readContext({ nowMs: now, ...changes }));
  return verdict.kind === "deny" ? verdict.denials[0].reason : Reason.UNSPECIFIED;
}

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
    expect(reasonOf(facts)).toBe(want);
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
    expect(reasonOf(facts, { requestedVersion: 2 })).toBe(want);
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
    expect(reasonOf(facts, { sealed })).toBe(want);
  });

  test("a version out of reach is not granted, whether sealed or not", () => {
    const asked = { requestedVersion: 2 };
    expect(reasonOf(sealedOnly, asked)).toBe(Reason.NOT_GRANTED);
    expect(reasonOf(sealedOnly, { ...asked, sealed: true })).toBe(Reason.NOT_GRANTED);
  });

  test("a millisecond before expiry is allowed", () => {
    expect(reasonOf(granted)).toBe(Reason.UNSPECIFIED);
    expect(reasonOf(granted, { nowMs: now + 1 })).toBe(Reason.MACHINE_EXPIRED);
  });

  test("a denial names every rule that fails, in the fixed order, with the caller's metadata", () => {
    const none = { ...granted, granted: false, sealedOnly: true };
    const expired = { ...none, principal: { ...active, expiresAtMs: now } };
    expect(evaluate(expired, current)).toEqual({
      kind: "deny",
      denials: [
        { reason: Reason.MACHINE_EXPIRED, metadata: {} },
        { reason: Reason.NOT_GRANTED, metadata: { secret_id: "sec_a" } },
        { reason: Reason.SEALING_REQUIRED, metadata: { secret_id: "sec_a" } },
      ],
    });
  });

  test("an allowed read of what is sealed only is obliged to be, and has that on record", () => {
    const sealed = readContext({ nowMs: now, sealed: true });
    expect(evaluate(sealedOnly, sealed)).toEqual({
      kind: "allow",
      obligations: { sealedOnly: true, facts: { sealed_only: "true" } },
    });
    expect(evaluate(granted, sealed)).toEqual({
      kind: "allow",
      obligations: { sealedOnly: false, facts: {} },
    });
  });

  test.each([
    ["none", { claims: undefined }],
    ["another machine's", { claims: readClaims({ principalId: "mch_b" }) }],
    ["another vault's", { claims: readClaims({ vaultId: "vlt_b" }) }],
    ["a user's", { claims: readClaims({ kind: PrincipalKind.USER }) }],
  ])("claims of a credential may refuse: %s", (_, claims) => {
    expect(reasonOf(granted, claims)).toBe(Reason.NOT_GRANTED);
    // A listing leads to no permit.
    expect(reasonOf(granted, { ...claims, purpose: Purpose.LIST })).toBe(Reason.UNSPECIFIED);
  });

  test("no claims and no source address allow what the facts do not", () => {
    for (const sourceIp of ["", "127.0.0.1", "::1"])
      expect(reasonOf({ ...granted, granted: false }, { sourceIp })).toBe(Reason.NOT_GRANTED);
  });

  test("a listing names what is read sealed only: our clients seal", () => {
    expect(reasonOf(sealedOnly, { purpose: Purpose.LIST })).toBe(Reason.UNSPECIFIED);
  });
});
