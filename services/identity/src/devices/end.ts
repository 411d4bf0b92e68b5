import type { ForwardContext } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import type { Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { requireOwner } from "../users/acting-owner.ts";
import { actorOf, originOf } from "../audit-fields.ts";
import { recordKeyChanges } from "../keys/change-store.ts";
import { type UserKey, revokeDeviceKeys } from "./store.ts";

/**
 * Ends a device: the key, what it was renewed from and what it was renewed to, since the holder of
 * one of them may have made the next. The vault's people are locked meanwhile. Ending it again
 * changes and records nothing. Throws Failure LAST_OWNER.
 */
export async function endDevice(
  tx: Tx,
  outbox: Pick<Outbox, "record">,
  context: ForwardContext,
  key: UserKey,
  reason: string,
  now: Date,
): Promise<void> {
  const { keyId, userId, vaultId, role, firstKeyId } = key;
  if ((await revokeDeviceKeys(tx, firstKeyId, now)) === 0) return;
  if (role === "owner") await requireOwner(tx, vaultId, now);
  await recordKeyChanges(tx, [userId]);
  const event = newEvent("identity", "device.revoked", {
    ...actorOf(context),
    ...originOf(context, now.getTime()),
    vaultId,
    subjectId: userId,
    detail: { key_id: keyId, revoke_reason: reason },
  });
  await outbox.record(tx, event);
}
