import type { Outbox } from "@sallyport/outbox";
import type { Database, Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { PrincipalStatus } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { failureOf } from "@sallyport/rpc";
import { repeat } from "@sallyport/schedule";
import type { Logger } from "@sallyport/telemetry";
import { type PolicyScope, endMachines, mostEnded } from "../policy.ts";
import { ownOrigin } from "../audit-fields.ts";
import { lockDue, vaultsWithDue } from "./list-store.ts";
import { setMachineStates } from "./store.ts";

/** The dependencies of sweeping. */
export type SweepParts = {
  readonly database: Pick<Database, "query" | "transaction">;
  readonly outbox: Pick<Outbox, "record" | "drain" | "ready">;
  readonly policy: Pick<PolicyScope, "revokePrincipals">;
  readonly clock: () => number;
};

const everyMs = 20_000;
const mostVaults = 1_000;

/**
 * Ends the machines whose lifetime is over: policy takes their rights, then it is stored and
 * recorded. They are refused from the instant of their end without it. Any number of replicas may
 * sweep at once: each takes what no other works on. Returns how many ended; throws Failure
 * DEPENDENCY_UNAVAILABLE when policy or audit is away, and the next sweep continues. Another
 * failure in one vault does not stop the others, and is thrown in the end.
 */
export async function sweepExpired(parts: SweepParts): Promise<number> {
  let ended = 0;
  let failure: Error | undefined;
  for (const vaultId of await vaultsWithDue(parts.database, new Date(parts.clock()), mostVaults)) {
    try {
      ended += await sweepVault(parts, vaultId);
    } catch (error) {
      const failed = failureOf(error);
      if (failed.reason === Reason.DEPENDENCY_UNAVAILABLE) throw failed;
      failure ??= failed;
    }
  }
  if (failure) throw failure;
  return ended;
}

async function sweepVault(parts: SweepParts, vaultId: string): Promise<number> {
  let ended = 0;
  for (let batch = mostEnded; batch === mostEnded; ended += batch) {
    await parts.outbox.ready();
    const [size, own] = await parts.database.transaction(
      async (tx) => [await endDue(tx, parts, vaultId), tx] as const,
    );
    if (size > 0) await parts.outbox.drain(own);
    batch = size;
  }
  return ended;
}

async function endDue(
  tx: Tx,
  { policy, outbox, clock }: SweepParts,
  vaultId: string,
): Promise<number> {
  const nowMs = clock();
  const machines = await lockDue(tx, vaultId, new Date(nowMs), mostEnded);
  const machineIds = machines.map(({ machineId }) => machineId);
  await endMachines(policy, vaultId, machineIds, PrincipalStatus.EXPIRED);
  await setMachineStates(tx, machineIds, "expired");
  const events = machines.map(({ machineId, name, tokenId, expiresAt }) =>
    newEvent("identity", "machine.expired", {
      ...ownOrigin(nowMs),
      vaultId,
      machineId,
      subjectId: tokenId ?? "",
      detail: { name, expires_at: expiresAt.toISOString() },
    }),
  );
  await outbox.record(tx, ...events);
  return machines.length;
}

/**
 * Sweeps every 20 seconds, with jitter so that replicas spread out, until it is disposed, which
 * waits for the sweep under way. A sweep that fails is logged once, until one succeeds.
 */
export function startSweeping(
  parts: SweepParts,
  logger: Pick<Logger, "info" | "warn">,
  intervalMs: number = everyMs,
): AsyncDisposable {
  return repeat({
    async run() {
      const machines = await sweepExpired(parts);
      if (machines > 0) logger.info({ machines }, "machines expired");
    },
    everyMs: intervalMs,
    jitter: 0.25,
    delayed: true,
    log: {
      logger,
      failed: "expired machines wait for the next sweep",
    },
  });
}
