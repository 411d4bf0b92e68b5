import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import { newEvent } from "@sallyport/proto/catalogue";
import {
  AppendStatus,
  type AppendService,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason, ReasonSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { AuthorizeItem } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { enumName } from "@sallyport/proto/names";
import type { Decision } from "./decide.ts";
import { POLICY_VERSION } from "./evaluate.ts";

/** The one method of audit that a decision needs. */
export type Audit = Pick<Client<typeof AppendService>, "append">;

/** The records of a decision: one for each refused secret, or one for a request that was refused without any. */
export function denialsOf(
  item: AuthorizeItem,
  decisionId: string,
  { secrets, refusal }: Decision,
  nowMs: number,
): Event[] {
  const refused = secrets.filter((secret) => secret.refusal !== Reason.UNSPECIFIED);
  const targetless = { secretId: "", projectId: item.projectId, refusal };
  const denied = secrets.length === 0 && refusal !== Reason.UNSPECIFIED ? [targetless] : refused;
  return denied.map((secret) =>
    newEvent("policy", "secret.read.denied", {
      time: timestampFromMs(nowMs),
      actorKind: ActorKind.MACHINE,
      actorId: item.machineId,
      reason: enumName(ReasonSchema, secret.refusal),
      vaultId: item.vaultId,
      projectId: secret.projectId,
      secretId: secret.secretId,
      secretVersion: item.requestedVersion,
      machineId: item.machineId,
      sourceIp: item.sourceIp,
      client: item.client,
      requestDigest: item.requestDigest,
      decisionId,
      policyVersion: POLICY_VERSION,
      detail: { selector: item.requestedVersion === 0 ? "current" : String(item.requestedVersion) },
    }),
  );
}

/** Puts the records into the log; resolves after their commit, and rejects when even one is not in the log. */
export async function recordDenials(audit: Audit, events: readonly Event[]): Promise<void> {
  if (events.length === 0) return;
  const { results } = await audit.append({ events: [...events] });
  const committed = new Set(
    results.filter(({ status }) => status === AppendStatus.COMMITTED).map(({ eventId }) => eventId),
  );
  if (!events.every(({ eventId }) => committed.has(eventId)))
    throw new Error("the log did not take every denial");
}
