import type { ForwardContext, ForwardHandlers } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import type { Database, Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type {
  EnrollmentService,
  RevokeTokenRequest,
} from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { PrincipalStatus } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { fail } from "@sallyport/rpc";
import { describeToken } from "./views.ts";
import { type PolicyScope, endMachines, mostEnded } from "../policy.ts";
import { actorOf, originOf, signerOf } from "../audit-fields.ts";
import { recordKeyChanges } from "../keys/change-store.ts";
import { countLivingOf, lockLivingOf } from "../machines/list-store.ts";
import { setMachineStates } from "../machines/store.ts";
import { type Token, findToken, revokeToken } from "./store.ts";
import { checkPrintable } from "../printable.ts";
import { isReached, tokenReachOf } from "./reach.ts";

/** The dependencies of revoking tokens. */
export type RevokeTokenParts = {
  readonly database: Pick<Database, "query" | "transaction">;
  readonly outbox: Pick<Outbox, "record" | "drain">;
  readonly policy: Pick<PolicyScope, "listRoles" | "revokePrincipals">;
  readonly clock: () => number;
};

/**
 * Makes RevokeToken. The token ends first, in a transaction of its own, so that policy being away
 * does not keep it alive; from then on it makes no machine that the cascade could miss. Revoking
 * again changes and records nothing of the token.
 */
export function createRevokeToken(
  parts: RevokeTokenParts,
): ForwardHandlers<typeof EnrollmentService>["revokeToken"] {
  return async (context, request) => {
    checkPrintable("reason", request.reason);
    // Machines that a token made may be in projects that the signer has nothing to say about.
    if (request.cascade && signerOf(context).role === Role.DEVELOPER)
      throw fail(Reason.ROLE_REQUIRED);
    const token = await context.mutate((tx) => revoke(tx, parts, context, request));
    if (!token) throw fail(Reason.NOT_FOUND);
    if (!request.cascade) return { token: describeToken(token) };
    const [machinesRevoked, own] = await parts.database.transaction(async (tx) => [
      await endSome(tx, parts, context, token, request.reason),
      tx,
    ]);
    await parts.outbox.drain(own);
    const now = new Date(parts.clock());
    const machinesRemaining = await countLivingOf(
      parts.database,
      token.vaultId,
      token.tokenId,
      now,
    );
    return { token: describeToken(token), machinesRevoked, machinesRemaining };
  };
}

async function revoke(
  tx: Tx,
  { outbox, policy, clock }: RevokeTokenParts,
  context: ForwardContext,
  { tokenId, reason }: RevokeTokenRequest,
): Promise<Token | undefined> {
  const { vaultId } = signerOf(context);
  const nowMs = clock();
  const reach = await tokenReachOf(context, policy);
  const found = await findToken(tx, vaultId, tokenId);
  if (!found || !isReached(found, reach)) return undefined;
  const revoked = await revokeToken(tx, { vaultId, tokenId, reason }, new Date(nowMs));
  if (!revoked) return findToken(tx, vaultId, tokenId);
  const about = { ...actorOf(context), ...originOf(context, nowMs), vaultId, subjectId: tokenId };
  await outbox.record(
    tx,
    newEvent("identity", "token.revoked", { ...about, detail: { revoke_reason: reason } }),
  );
  return revoked;
}

// Policy refuses them first, then it is stored here; a failure in between leaves them refused, and
// repeating the call continues. Machines that are still provisioning end too: their enrollment
// finds them stopped.
async function endSome(
  tx: Tx,
  { policy, outbox, clock }: RevokeTokenParts,
  context: ForwardContext,
  { vaultId, tokenId }: Token,
  reason: string,
): Promise<number> {
  const nowMs = clock();
  const machines = await lockLivingOf(tx, vaultId, tokenId, new Date(nowMs), mostEnded);
  const machineIds = machines.map(({ machineId }) => machineId);
  await endMachines(policy, vaultId, machineIds, PrincipalStatus.REVOKED);
  await setMachineStates(tx, machineIds, "revoked");
  await recordKeyChanges(tx, machineIds);
  const about = { ...actorOf(context), ...originOf(context, nowMs), vaultId, subjectId: tokenId };
  const events = machines.map(({ machineId, name }) =>
    newEvent("identity", "machine.revoked", {
      ...about,
      machineId,
      detail: { name, revoke_reason: reason },
    }),
  );
  await outbox.record(tx, ...events);
  return machines.length;
}
