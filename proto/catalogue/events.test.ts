import { describe, expect, test } from "vitest";
import { ActorKind, Outcome, Severity } from "../gen/sallyport/audit/v1/audit_pb.ts";
import { events, newEvent, ruleOf } from "./events.ts";

const actor = { actorKind: ActorKind.MACHINE, actorId: "mch_00000000000000000000" };

describe("newEvent", () => {
  test("fills in id, time and the only outcome, and keeps what is given", () => {
    const event = newEvent("policy", "secret.read.denied", { ...actor, reason: "NOT_GRANTED" });
    expect(event.eventId).toMatch(/^evt_[0-9a-hjkmnp-tv-z]{20}$/);
    expect(event.time).toBeDefined();
    expect(event).toMatchObject({
      action: "secret.read.denied",
      outcome: Outcome.DENIED,
      reason: "NOT_GRANTED",
    });
    const eventId = "evt_00000000000000000000";
    expect(newEvent("crypto", "secret.read", { ...actor, eventId }).eventId).toBe(eventId);
  });

  test("makes details that the log takes, whatever the text", () => {
    const { detail } = newEvent("identity", "token.created", {
      ...actor,
      detail: { description: `a\u0000b\n${"é".repeat(300)}` },
    });
    expect(Buffer.byteLength(detail["description"] ?? "")).toBeLessThanOrEqual(256);
    expect(detail["description"]).toMatch(/^a\uFFFDb\uFFFDé+$/u);
    const broken = newEvent("secrets", "secret.created", { ...actor, detail: { name: "x\ud800y" } });
    expect(broken.detail["name"]).toBe("x\uFFFDy");
  });

  test("does not compile for an emitter, an action, an outcome or a detail key outside the catalogue", () => {
    // @ts-expect-error policy does not open secrets
    newEvent("policy", "secret.read", actor);
    // @ts-expect-error no such action
    expect(() => newEvent("crypto", "secret.guessed", actor)).toThrow();
    // @ts-expect-error a read is never reported as denied
    newEvent("crypto", "secret.read", { ...actor, outcome: Outcome.DENIED });
    // @ts-expect-error no such detail
    newEvent("crypto", "secret.read", { ...actor, detail: { value: "x" } });
  });
});

describe("catalogue", () => {
  test("only crypto reports that a secret was read", () => {
    expect(ruleOf("secret.read")?.emitters).toEqual(["crypto"]);
  });

  test("has no rule for what it does not name", () => {
    expect(ruleOf("secret.guessed")).toBeUndefined();
    expect(ruleOf("constructor")).toBeUndefined();
  });

  test.each(Object.entries(events))("%s: dotted name, an emitter, a severity that fits", (action, rule) => {
    expect(action).toMatch(/^[a-z_]+(\.[a-z_]+)+$/);
    expect(rule.emitters.length).toBeGreaterThan(0);
    expect(rule.detail.length).toBeLessThanOrEqual(12);
    const refusal: boolean = rule.outcomes.some((outcome) => outcome === Outcome.DENIED);
    expect(rule.severity >= Severity.WARNING).toBe(refusal);
  });
});
