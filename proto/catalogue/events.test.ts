import { describe, expect, expectTypeOf, test } from "vitest";
import { ActorKind, Outcome, Severity } from "../gen/sallyport/audit/v1/audit_pb.ts";
import {
  type Action,
  type ActionOf,
  type Emitter,
  type EventFields,
  events,
  meaningOf,
  meanings,
  newEvent,
  ruleOf,
} from "./index.ts";

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
    const broken = newEvent("secrets", "secret.created", {
      ...actor,
      detail: { name: "x\ud800y" },
    });
    expect(broken.detail["name"]).toBe("x\uFFFDy");
  });

  // Checked by the compiler, not when it runs: tsc reads this file as every other.
  test("compiles only for what the catalogue gives to the emitter", () => {
    expectTypeOf<"secret.read">().toExtend<ActionOf<"crypto">>();
    expectTypeOf<"secret.read">().not.toExtend<ActionOf<"policy">>();
    expectTypeOf<"grant.added">().not.toExtend<ActionOf<"identity" | "policy">>();
    expectTypeOf<"secret.guessed">().not.toExtend<Action>();
    expectTypeOf(newEvent<"policy", ActionOf<"policy">>)
      .parameter(1)
      .toEqualTypeOf<ActionOf<"policy">>();
    expectTypeOf<Emitter>().toEqualTypeOf<(typeof events)[Action]["emitters"][number]>();
  });

  test("compiles only with an outcome and with details of the action", () => {
    type Fields = EventFields<"secret.read">;
    expectTypeOf(newEvent<"crypto", "secret.read">)
      .parameter(2)
      .toEqualTypeOf<Fields>();
    expectTypeOf<Fields["outcome"]>().toEqualTypeOf<typeof Outcome.ALLOWED | undefined>();
    expectTypeOf<keyof NonNullable<Fields["detail"]>>().toEqualTypeOf<
      "name" | "selector" | "sealed" | "sealed_only"
    >();
  });
});

describe("catalogue", () => {
  test("only crypto reports that a secret was read", () => {
    expect(ruleOf("secret.read")?.emitters).toEqual(["crypto"]);
  });

  test("has no rule and no meaning for what it does not name", () => {
    for (const action of ["secret.guessed", "constructor"]) {
      expect(ruleOf(action)).toBeUndefined();
      expect(meaningOf(action)).toBeUndefined();
    }
  });

  test("says what each action means, in one line", () => {
    expect(Object.keys(meanings).sort()).toEqual(Object.keys(events).sort());
    for (const [action, meaning] of Object.entries(meanings)) {
      expect(meaningOf(action)).toBe(meaning);
      expect(meaning).toMatch(/^[a-z][^\n|]{9,99}$/);
    }
  });

  test.each(Object.entries(events))(
    "%s: dotted name, an emitter, a severity that fits",
    (action, rule) => {
      expect(action).toMatch(/^[a-z_]+(\.[a-z_]+)+$/);
      expect(rule.emitters.length).toBeGreaterThan(0);
      expect(rule.detail.length).toBeLessThanOrEqual(16); // as many as an Event holds
      expect(new Set(rule.detail).size).toBe(rule.detail.length);
      const refusal: boolean = rule.outcomes.some((outcome) => outcome === Outcome.DENIED);
      expect(rule.severity >= Severity.WARNING).toBe(refusal);
    },
  );
});
