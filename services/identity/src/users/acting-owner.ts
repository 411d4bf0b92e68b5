import type { Principal } from "@sallyport/evidence";
import type { ForwardContext } from "@sallyport/forward";
import type { Tx } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";
import { signerOf } from "../audit-fields.ts";
import { hasActingOwner, holdUser } from "./store.ts";

/**
 * Returns the user who signed and locks the row: until the transaction ends, the user stays what
 * the credential says. Throws Failure MACHINE_DISABLED.
 *
 * Security: a credential may be a minute old. Without this, a removed user could leave behind what
 * outlasts the removal.
 */
export async function holdSigner(
  tx: Tx,
  context: Pick<ForwardContext, "principal">,
): Promise<Principal> {
  const signer = signerOf(context);
  if (!(await holdUser(tx, signer.vaultId, signer.id, signer.keyId)))
    throw fail(Reason.MACHINE_DISABLED);
  return signer;
}

/** Refuses what has left the vault without an owner who can act. Throws Failure LAST_OWNER. */
export async function requireOwner(tx: Tx, vaultId: string, now: Date): Promise<void> {
  if (!(await hasActingOwner(tx, vaultId, now))) throw fail(Reason.LAST_OWNER);
}
