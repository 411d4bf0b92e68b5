import type { Client } from "@connectrpc/connect";
import { EvidenceError } from "@sallyport/evidence";
import { newEvent } from "@sallyport/proto/catalogue";
import type { AppendService, Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind, Outcome } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason, ReasonSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { PrincipalKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { enumName } from "@sallyport/proto/names";
import type { Logger } from "@sallyport/telemetry";
import { publicFailureOf } from "./errors.ts";
import { limitKeyOf } from "./limits.ts";
import { countRefusal } from "./metrics.ts";
import type { Progress } from "./verify/checklist.ts";

/** One refusal of the gateway's own: from where, by which client, of which method, why, and how far the request had come. */
export type Refused = {
  readonly sourceIp: string;
  readonly client: string;
  readonly path: string;
  readonly error: unknown;
  readonly progress: Progress;
};

/** The gateway's own refusals on their way to the log; disposing sends what is counted and waits for the answer. */
export type RefusalLog = { note(refused: Refused): void } & AsyncDisposable;

type Kind = { readonly first: Refused; more: number };

const defaults = { windowMs: 10_000, capacity: 100 };

/**
 * Reports refusals to audit without ever delaying one. The first of a kind (address, principal, reason) is reported at
 * once, the rest of it as one record with a count when the window ends. There are at most `capacity` kinds a window and
 * one more for all others, so a flood from many addresses cannot fill the log's disk either. Faults of our own are not
 * refusals. Best effort: what cannot be recorded is logged.
 */
export function createRefusalLog(
  audit: Pick<Client<typeof AppendService>, "append">,
  logger: Logger,
  { windowMs, capacity } = defaults,
): RefusalLog {
  const kinds = new Map<string, Kind>();

  async function send(events: Event[]): Promise<void> {
    if (events.length === 0) return;
    await audit.append({ events }).catch((error: unknown) => {
      logger.warn({ err: error, records: events.length }, "refusals were not recorded");
    });
  }

  async function flush(): Promise<void> {
    const due = [...kinds.values()].filter(({ more }) => more > 0);
    kinds.clear();
    await send(due.map(({ first, more }) => eventOf(first, more)));
  }

  const timer = setInterval(() => void flush(), windowMs).unref();
  return {
    note(refused) {
      if (!isTheirs(refused.error)) return;
      countRefusal(refused.error, refused.progress.step ?? "address");
      const named = kindOf(refused);
      const key = kinds.has(named) || kinds.size < capacity ? named : "others";
      const kind = kinds.get(key);
      if (kind) {
        kind.more += 1;
        return;
      }
      kinds.set(key, { first: refused, more: 0 });
      void send([eventOf(refused, 1)]);
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await flush();
    },
  };
}

function isTheirs(error: unknown): boolean {
  const { reason } = publicFailureOf(error);
  return reason !== Reason.INTERNAL && reason !== Reason.DEPENDENCY_UNAVAILABLE;
}

// Only what a stranger cannot make up at will: a keyid that proved nothing is not part of the kind.
function kindOf({ sourceIp, error, progress }: Refused): string {
  const { reason } = publicFailureOf(error);
  return [limitKeyOf(sourceIp), progress.claims?.principalId, reason, progress.replayed].join(" ");
}

function eventOf({ sourceIp, client, path, error, progress }: Refused, count: number): Event {
  const { claims, claimedKeyId } = progress;
  const machine = claims?.kind === PrincipalKind.MACHINE;
  return newEvent("gateway", progress.replayed ? "replay.refused" : "request.rejected", {
    outcome: Outcome.DENIED,
    reason: enumName(ReasonSchema, publicFailureOf(error).reason),
    actorKind: claims === undefined ? ActorKind.UNKNOWN : machine ? ActorKind.MACHINE : ActorKind.USER,
    actorId: claims?.principalId ?? "",
    vaultId: claims?.vaultId ?? "",
    machineId: machine ? claims.principalId : "",
    sourceIp,
    client,
    requestDigest: progress.digest ?? new Uint8Array(),
    detail: {
      count: String(count),
      path,
      ...(claimedKeyId === undefined ? {} : { key_id: claimedKeyId }),
      ...(error instanceof EvidenceError ? { step: error.step } : {}),
    },
  });
}
