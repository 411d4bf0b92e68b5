import { randomBytes } from "node:crypto";
import { events } from "@sallyport/proto/catalogue";
import {
  AppendStatus,
  EventSchema,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind, type Outcome } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import type { Field } from "../field.ts";
import { told } from "../../system/mesh.ts";
import type { Stage } from "./stage.ts";

const catalogue = Object.entries(events).map(([action, rule]) => ({ action, ...rule }));
const isGateways = ({ emitters }: { readonly emitters: readonly string[] }) =>
  emitters.includes("gateway");
const foreign = catalogue.filter((rule) => !isGateways(rule));
const own = catalogue.filter(isGateways);

/** A record about a read of the first machine, such as only crypto may write. */
function eventOf({ machine, granted }: Field, { action, outcomes }: (typeof catalogue)[number]) {
  const [outcome]: readonly [Outcome, ...Outcome[]] = outcomes;
  return create(EventSchema, {
    eventId: newId("evt"),
    time: timestampNow(),
    action,
    outcome,
    actorKind: ActorKind.MACHINE,
    actorId: machine.principalId,
    machineId: machine.principalId,
    vaultId: machine.vaultId,
    secretId: granted[0] ?? "",
    requestDigest: randomBytes(32),
    decisionId: newId("dec"),
    attemptId: randomBytes(16),
  });
}

/** The attacks on the log. */
export function describeRecords(stage: () => Stage): void {
  describe("writing to the log", () => {
    test.each(foreign)("$action: not by a gateway", async (rule) => {
      const { field, cheat } = stage();
      const event = eventOf(field, rule);
      const { results } = await cheat.append({ events: [event] });
      expect(results).toMatchObject([
        { eventId: event.eventId, status: AppendStatus.REFUSED, seq: 0n },
      ]);
      expect(results.map(({ refusal }) => refusal && told(refusal))).toEqual(["PEER_NOT_ALLOWED"]);
      expect(await field.ledger.of(event.requestDigest)).toEqual([]);
    });

    test("a read slipped in among its own records holds those back", async () => {
      const { field, cheat } = stage();
      const [refused, read] = [ruleOf("request.rejected"), ruleOf("secret.read")];
      const batch = [eventOf(field, refused), eventOf(field, read)];
      const { results } = await cheat.append({ events: batch });
      expect(results.map(({ status }) => status)).toEqual([
        AppendStatus.HELD_BACK,
        AppendStatus.REFUSED,
      ]);
      for (const { requestDigest } of batch)
        expect(await field.ledger.of(requestDigest)).toEqual([]);
    });

    test.each(own)("what it gives: $action about anybody, under its own name", async (rule) => {
      const { field, cheat } = stage();
      const event = eventOf(field, rule);
      const { results } = await cheat.append({ events: [event] });
      expect(results.map(({ status }) => status)).toEqual([AppendStatus.COMMITTED]);
      expect(await field.ledger.of(event.requestDigest)).toMatchObject([
        { emitter: "gateway", action: rule.action, actor_id: field.machine.principalId },
      ]);
    });

    test("what it gives: a refused read that nobody asked for, which policy records on its word", async () => {
      const { field, cheat } = stage();
      const requestDigest = randomBytes(32);
      const decision = await cheat.decide(field.machine, requestDigest, [field.ids["OTHER"] ?? ""]);
      expect(decision.refusal && told(decision.refusal)).toMatch(/^NOT_GRANTED/);
      expect(await field.ledger.of(requestDigest)).toMatchObject([
        { emitter: "policy", action: "secret.read.denied", machine_id: field.machine.principalId },
      ]);
    });
  });
}

function ruleOf(action: string) {
  const rule = catalogue.find((candidate) => candidate.action === action);
  if (!rule) throw new Error(`the catalogue has no ${action}`);
  return rule;
}
