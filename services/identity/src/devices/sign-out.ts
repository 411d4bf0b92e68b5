import type { ForwardContext, ForwardHandlers } from "@sallyport/forward";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { PrincipalKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import type { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { fail } from "@sallyport/rpc";
import { signerOf } from "../audit-fields.ts";
import { lockUsersOf } from "../lock-store.ts";
import { findUserKey } from "./store.ts";
import { endDevice } from "./end.ts";
import { type StandingParts, revokeMachine } from "../machines/standing.ts";

const reason = "signed out";

/** Makes SignOut: a machine revokes itself, a user's device is revoked. */
export function createSignOut(
  parts: StandingParts,
): ForwardHandlers<typeof UserService>["signOut"] {
  return async (context) => {
    const { kind, id } = signerOf(context);
    if (kind === PrincipalKind.MACHINE) await revokeMachine(parts, context, id, reason);
    else await signOutDevice(parts, context);
    return {};
  };
}

async function signOutDevice(
  { outbox, clock }: Pick<StandingParts, "outbox" | "clock">,
  context: ForwardContext,
): Promise<void> {
  const { keyId, vaultId } = signerOf(context);
  await context.mutate(async (tx) => {
    await lockUsersOf(tx, vaultId);
    const key = await findUserKey(tx, keyId);
    if (!key)
      throw fail(Reason.INTERNAL, {}, new Error("a credential names a key that does not exist"));
    await endDevice(tx, outbox, context, key, reason, new Date(clock()));
  });
}
