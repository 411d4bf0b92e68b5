import type { Tx } from "@sallyport/postgres";
import type { Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { PrincipalKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { expect, test } from "vitest";
import { createReplayRecorder } from "./replays.ts";

test("a replayed change goes on record under its signer's name, and is delivered before the answer", async () => {
  const steps: string[] = [];
  const recorded: Event[] = [];
  const tx: Tx = { query: async () => [] };
  const record = createReplayRecorder(
    "secrets",
    {
      async transaction(run) {
        const result = await run(tx);
        steps.push("committed");
        return result;
      },
    },
    {
      async record(_, event) {
        recorded.push(event);
      },
      async drain() {
        steps.push("delivered");
      },
    },
  );
  const principal = {
    id: "usr_00000000000000000000",
    kind: PrincipalKind.USER,
    vaultId: "vlt_00000000000000000000",
  };
  const requestDigest = new Uint8Array(32).fill(1);
  const path = "/sallyport.secrets.v1.ProjectService/CreateProject";
  const request = { sourceIp: "192.0.2.1", client: "curl/8.0", requestDigest, signedRequest: { path } };
  await record({ principal, ...request });
  await record(request);
  expect(steps).toEqual(["committed", "delivered", "committed", "delivered"]);
  expect(recorded).toMatchObject([
    {
      action: "mutation.replayed",
      actorId: principal.id,
      vaultId: principal.vaultId,
      client: "curl/8.0",
      requestDigest,
      detail: { path },
    },
    { action: "mutation.replayed", actorKind: ActorKind.UNKNOWN, actorId: "", vaultId: "" },
  ]);
});
