import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Purpose } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { describe, expect, test } from "vitest";
import {
  type Decided,
  type Decision,
  type RequestFacts,
  type SecretFacts,
  decideList,
  decideRead,
} from "./decide.ts";
import { readContext } from "../testing/context.ts";

const now = 1_800_000_000_000;
const current = readContext({ nowMs: now });
const named = readContext({ nowMs: now, requestedVersion: 2 });
const sealed = readContext({ nowMs: now, sealed: true });
const listing = readContext({ nowMs: now, purpose: Purpose.LIST });
const readable: SecretFacts = {
  secretId: "sec_a",
  projectId: "prj_a",
  member: true,
  granted: true,
  anyVersion: false,
  sealedOnly: false,
};
const refused: SecretFacts = { ...readable, secretId: "sec_b", granted: false };

function facts(secrets: readonly SecretFacts[], changes: Partial<RequestFacts> = {}): RequestFacts {
  return {
    principal: { status: "active", expiresAtMs: now + 1 },
    memberOfTarget: true,
    secrets,
    ...changes,
  };
}

const reasonOf = ({ denial }: Decision) => denial?.reason ?? Reason.UNSPECIFIED;
const publicReason = ({ verdict }: Decided) =>
  verdict.kind === "deny" ? verdict.denials[0].reason : Reason.UNSPECIFIED;

describe("decideRead", () => {
  test("partial: the allowed go, the refused are named with their reason", () => {
    const { secrets, denial } = decideRead(facts([refused, readable]), current, false);
    expect(denial).toBeUndefined();
    expect(secrets.map(publicReason)).toEqual([Reason.NOT_GRANTED, Reason.UNSPECIFIED]);
  });
  test("partial: nothing allowed refuses the request with the first reason", () => {
    expect(reasonOf(decideRead(facts([refused]), current, false))).toBe(Reason.NOT_GRANTED);
  });
  test("all or nothing: one refusal refuses the request", () => {
    expect(reasonOf(decideRead(facts([readable, refused]), current, true))).toBe(
      Reason.NOT_GRANTED,
    );
    expect(reasonOf(decideRead(facts([readable]), current, true))).toBe(Reason.UNSPECIFIED);
  });
  test("a named version: only what the grant reaches is allowed", () => {
    const reaching: SecretFacts = { ...readable, secretId: "sec_c", anyVersion: true };
    const { secrets, denial } = decideRead(facts([readable, reaching]), named, false);
    expect(denial).toBeUndefined();
    expect(secrets.map(publicReason)).toEqual([Reason.NOT_GRANTED, Reason.UNSPECIFIED]);
    expect(reasonOf(decideRead(facts([readable]), named, false))).toBe(Reason.NOT_GRANTED);
  });
  test("an empty project of a member is empty, of a stranger refused", () => {
    expect(reasonOf(decideRead(facts([]), current, false))).toBe(Reason.UNSPECIFIED);
    expect(reasonOf(decideRead(facts([], { memberOfTarget: false }), current, false))).toBe(
      Reason.NOT_GRANTED,
    );
  });
  test("an expired machine is told so, secrets or none", () => {
    const principal = { status: "active", expiresAtMs: now } as const;
    expect(reasonOf(decideRead(facts([readable], { principal }), current, false))).toBe(
      Reason.MACHINE_EXPIRED,
    );
    expect(reasonOf(decideRead(facts([], { principal }), current, false))).toBe(
      Reason.MACHINE_EXPIRED,
    );
    expect(
      reasonOf(decideRead(facts([], { principal, memberOfTarget: false }), current, false)),
    ).toBe(Reason.MACHINE_EXPIRED);
  });
});

describe("decideRead of what is read sealed only", () => {
  const sealedOnly: SecretFacts = { ...readable, secretId: "sec_d", sealedOnly: true };
  test("an unsealed request gets the others, under a permit that allows an unsealed reply", () => {
    const decision = decideRead(facts([sealedOnly, readable]), current, false);
    expect(decision.secrets.map(publicReason)).toEqual([
      Reason.SEALING_REQUIRED,
      Reason.UNSPECIFIED,
    ]);
    expect(decision).toMatchObject({ denial: undefined, sealedOnly: false });
  });
  test("it alone, or all or nothing: the request is refused", () => {
    const { SEALING_REQUIRED } = Reason;
    expect(reasonOf(decideRead(facts([sealedOnly]), current, false))).toBe(SEALING_REQUIRED);
    expect(reasonOf(decideRead(facts([readable, sealedOnly]), current, true))).toBe(
      SEALING_REQUIRED,
    );
  });
  test("one allowed among others makes the whole reply sealed only, and one refused does not", () => {
    expect(decideRead(facts([readable, sealedOnly]), sealed, false).sealedOnly).toBe(true);
    expect(decideRead(facts([readable]), sealed, false).sealedOnly).toBe(false);
    const ungranted = { ...sealedOnly, granted: false };
    expect(decideRead(facts([readable, ungranted]), sealed, false).sealedOnly).toBe(false);
    expect(decideRead(facts([]), sealed, false).sealedOnly).toBe(false);
  });
});

describe("decideList", () => {
  test("names only what may be read", () => {
    const { secrets, denial } = decideList(facts([refused, readable]), listing);
    expect(denial).toBeUndefined();
    expect(secrets.map(({ secretId }) => secretId)).toEqual(["sec_a"]);
  });
  test("a disabled machine is told so", () => {
    const principal = { status: "disabled", expiresAtMs: now + 1 } as const;
    expect(decideList(facts([readable], { principal }), listing)).toEqual({
      secrets: [],
      denial: { reason: Reason.MACHINE_DISABLED, metadata: {} },
    });
  });
});
