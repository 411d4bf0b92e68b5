import { create } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { newEvent } from "@sallyport/proto/catalogue";
import { type AppendService, AppendRequestSchema } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind, Outcome } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { type Reason, ReasonSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { PrincipalKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { enumName } from "@sallyport/proto/names";
import type { Logger } from "@sallyport/telemetry";
import type { Progress } from "./verify/checklist.ts";

const windowMs = 10_000;
const capacity = 1000;

type Refused = { readonly sourceIp: string; readonly reason: Reason; readonly progress: Progress };

/**
 * Reports the gateway's own refusals to the log without ever delaying one. The first of a kind (address, key, reason)
 * is reported at once, the rest of it as one record with a count every 10 seconds, so a flood cannot fill the disk.
 */
export function createRefusalLog(audit: Pick<Client<typeof AppendService>, "append">, logger: Logger) {
  const counts = new Map<string, { first: Refused; more: number }>();

  function send(refused: readonly { refused: Refused; count: number }[]): void {
    if (refused.length === 0) return;
    const events = refused.map(({ refused: one, count }) => eventOf(one, count));
    audit.append(create(AppendRequestSchema, { events })).catch((error: unknown) => {
      logger.warn({ err: error, records: events.length }, "refusals were not recorded");
    });
  }

  function flush(): void {
    const due = [...counts.values()].filter((entry) => entry.more > 0);
    counts.clear();
    send(due.map(({ first, more }) => ({ refused: first, count: more })));
  }

  const timer = setInterval(flush, windowMs).unref();
  return {
    /** Notes one refusal. */
    note(refused: Refused): void {
      const keyed = `${refused.sourceIp} ${refused.progress.keyId ?? ""} ${refused.reason} ${refused.progress.replayed ?? false}`;
      // Past the capacity every new kind shares one entry: the count stays true, the detail does not.
      const key = counts.has(keyed) || counts.size < capacity ? keyed : "others";
      const entry = counts.get(key);
      if (entry) {
        entry.more += 1;
        return;
      }
      counts.set(key, { first: refused, more: 0 });
      send([{ refused, count: 1 }]);
    },
    [Symbol.dispose](): void {
      clearInterval(timer);
      flush();
    },
  };
}

function eventOf({ sourceIp, reason, progress }: Refused, count: number) {
  const { claims } = progress;
  const machine = claims?.kind === PrincipalKind.MACHINE;
  return newEvent("gateway", progress.replayed ? "replay.refused" : "request.rejected", {
    outcome: Outcome.DENIED,
    reason: enumName(ReasonSchema, reason),
    actorKind: claims === undefined ? ActorKind.UNKNOWN : machine ? ActorKind.MACHINE : ActorKind.USER,
    actorId: claims?.principalId ?? "",
    vaultId: claims?.vaultId ?? "",
    machineId: machine ? claims.principalId : "",
    sourceIp,
    requestDigest: progress.digest ?? new Uint8Array(),
    detail: { count: String(count), ...(progress.keyId === undefined ? {} : { key_id: progress.keyId.slice(0, 64) }) },
  });
}
