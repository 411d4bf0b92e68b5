import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { describe, expect, test } from "vitest";
import { type RequestFacts, type SecretFacts, decideList, decideRead } from "./decide.ts";

const now = 1_800_000_000_000;
const current = { namedVersion: false, sealed: false, nowMs: now };
const named = { ...current, namedVersion: true };
const sealed = { ...current, sealed: true };
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

describe("decideRead", () => {
  test("partial: the allowed go, the refused are named with their reason", () => {
    const { secrets, refusal } = decideRead(facts([refused, readable]), current, false);
    expect(refusal).toBe(Reason.UNSPECIFIED);
    expect(secrets.map((secret) => secret.refusal)).toEqual([
      Reason.NOT_GRANTED,
      Reason.UNSPECIFIED,
    ]);
  });
  test("partial: nothing allowed refuses the request with the first reason", () => {
    expect(decideRead(facts([refused]), current, false).refusal).toBe(Reason.NOT_GRANTED);
  });
  test("all or nothing: one refusal refuses the request", () => {
    expect(decideRead(facts([readable, refused]), current, true).refusal).toBe(Reason.NOT_GRANTED);
    expect(decideRead(facts([readable]), current, true).refusal).toBe(Reason.UNSPECIFIED);
  });
  test("a named version: only what the grant reaches is allowed", () => {
    const reaching: SecretFacts = { ...readable, secretId: "sec_c", anyVersion: true };
    const { secrets, refusal } = decideRead(facts([readable, reaching]), named, false);
    expect(refusal).toBe(Reason.UNSPECIFIED);
    expect(secrets.map((secret) => secret.refusal)).toEqual([
      Reason.NOT_GRANTED,
      Reason.UNSPECIFIED,
    ]);
    expect(decideRead(facts([readable]), named, false).refusal).toBe(Reason.NOT_GRANTED);
  });
  test("an empty project of a member is empty, of a stranger refused", () => {
    expect(decideRead(facts([]), current, false).refusal).toBe(Reason.UNSPECIFIED);
    expect(decideRead(facts([], { memberOfTarget: false }), current, false).refusal).toBe(
      Reason.NOT_GRANTED,
    );
  });
  test("an expired machine is told so, secrets or none", () => {
    const principal = { status: "active", expiresAtMs: now } as const;
    expect(decideRead(facts([readable], { principal }), current, false).refusal).toBe(
      Reason.MACHINE_EXPIRED,
    );
    expect(decideRead(facts([], { principal }), current, false).refusal).toBe(
      Reason.MACHINE_EXPIRED,
    );
    expect(
      decideRead(facts([], { principal, memberOfTarget: false }), current, false).refusal,
    ).toBe(Reason.MACHINE_EXPIRED);
  });
});

describe("decideRead of what is read sealed only", () => {
  const sealedOnly: SecretFacts = { ...readable, secretId: "sec_d", sealedOnly: true };
  test("an unsealed request gets the others, under a permit that allows an unsealed reply", () => {
    const decision = decideRead(facts([sealedOnly, readable]), current, false);
    const refusals = decision.secrets.map(({ refusal }) => refusal);
    expect(refusals).toEqual([Reason.SEALING_REQUIRED, Reason.UNSPECIFIED]);
    expect(decision).toMatchObject({ refusal: Reason.UNSPECIFIED, sealedOnly: false });
  });
  test("it alone, or all or nothing: the request is refused", () => {
    const { SEALING_REQUIRED } = Reason;
    expect(decideRead(facts([sealedOnly]), current, false).refusal).toBe(SEALING_REQUIRED);
    expect(decideRead(facts([readable, sealedOnly]), current, true).refusal).toBe(SEALING_REQUIRED);
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
    const { secrets, refusal } = decideList(facts([refused, readable]), current);
    expect(refusal).toBe(Reason.UNSPECIFIED);
    expect(secrets.map(({ secretId }) => secretId)).toEqual(["sec_a"]);
  });
  test("a disabled machine is told so", () => {
    const principal = { status: "disabled", expiresAtMs: now + 1 } as const;
    expect(decideList(facts([readable], { principal }), current)).toEqual({
      secrets: [],
      refusal: Reason.MACHINE_DISABLED,
    });
  });
});
