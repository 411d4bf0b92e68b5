import type { Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind, Outcome } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { PrincipalKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { createTally } from "@sallyport/audit-events";
import { createLogger } from "@sallyport/telemetry";
import { expect, test } from "vitest";
import { type Replayed, createReplayRecorder } from "./replays.ts";

const path = "/sallyport.secrets.v1.ProjectService/CreateProject";
const requestDigest = new Uint8Array(32).fill(1);
const request = {
  sourceIp: "192.0.2.1",
  client: "curl/8.0",
  requestDigest,
  signedRequest: { path },
};
const vaultId = newId("vlt");
const newPrincipal = () => ({ id: newId("usr"), kind: PrincipalKind.USER, vaultId });

async function recordedOf(replays: readonly Replayed[]): Promise<Event[]> {
  const recorded: Event[] = [];
  {
    await using tally = createTally(
      async (events) => void recorded.push(...events),
      createLogger({ service: "secrets", level: "silent" }),
    );
    const record = createReplayRecorder("secrets", { note: (refusal) => tally.note(refusal) });
    for (const replayed of replays) await record(replayed);
  }
  return recorded;
}

const countsOf = (events: readonly Event[]) => events.map(({ detail }) => Number(detail["count"]));

test("a replayed change goes on record under its signer's name", async () => {
  const principal = newPrincipal();
  const machine = { id: newId("mch"), kind: PrincipalKind.MACHINE, vaultId: principal.vaultId };
  expect(
    await recordedOf([{ principal, ...request }, { principal: machine, ...request }, request]),
  ).toMatchObject([
    {
      action: "mutation.replayed",
      outcome: Outcome.DENIED,
      reason: "REQUEST_REJECTED",
      actorKind: ActorKind.USER,
      actorId: principal.id,
      machineId: "",
      vaultId: principal.vaultId,
      sourceIp: "192.0.2.1",
      client: "curl/8.0",
      requestDigest,
      detail: { count: "1", path },
    },
    { actorKind: ActorKind.MACHINE, actorId: machine.id, machineId: machine.id },
    { actorKind: ActorKind.UNKNOWN, actorId: "", vaultId: "" },
  ]);
});

test("a flood of replays is a few records, whatever addresses the gateway makes up, and none is uncounted", async () => {
  const principals = Array.from({ length: 5 }, newPrincipal);
  const replays = Array.from({ length: 5_000 }, (_, n) => {
    const principal = principals[n % 6];
    return {
      ...request,
      sourceIp: `10.0.${n >> 8}.${n & 255}`,
      ...(principal ? { principal } : {}),
    };
  });
  const recorded = await recordedOf(replays);
  expect(recorded).toHaveLength(12);
  expect(countsOf(recorded).reduce((sum, count) => sum + count, 0)).toBe(5_000);
  const own = recorded.filter(({ actorId }) => actorId === principals[0]?.id);
  expect(countsOf(own)).toEqual([1, 833]);
});

test("replays of many principals are bounded too, and counted", async () => {
  const replays = Array.from({ length: 1_000 }, () => ({ ...request, principal: newPrincipal() }));
  const recorded = await recordedOf(replays);
  expect(recorded.length).toBeLessThanOrEqual(52);
  expect(new Set(recorded.map((event) => event.vaultId))).toEqual(new Set([vaultId]));
  expect(countsOf(recorded).reduce((sum, count) => sum + count, 0)).toBe(1_000);
});
