import type { ForwardContext } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import type { Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { actorOf, originOf } from "../audit-fields.ts";
import { type Descendants, findTokensOf } from "./descendant-store.ts";
import { revokeToken } from "../tokens/store.ts";
import { type UserKey, findUserKey } from "./store.ts";
import { endDevice } from "./end.ts";
import { endUser } from "../users/end.ts";

/** The most of one kind that ends with a device in one transaction; a repeat ends more. */
export const mostDescendants = 500;

const longestReason = 500;

/**
 * Ends what came of a device that has ended: each has a record that names the device. The vault's
 * people are locked meanwhile, so no user joins. Throws Failure LAST_OWNER, and then nothing of it
 * is stored.
 *
 * Security: tokens come last, and are looked for again. Until the keys of the devices before have
 * ended, one of them may make another; from then on `holdSigner` refuses it.
 */
export async function endDescendants(
  tx: Tx,
  outbox: Pick<Outbox, "record">,
  context: ForwardContext,
  { keyId, vaultId, firstKeyId }: UserKey,
  { users, devices }: Descendants,
  reason: string,
  now: Date,
): Promise<string[]> {
  const why = `came of ${keyId}${reason === "" ? "" : `: ${reason}`}`.slice(0, longestReason);
  for (const device of devices.slice(0, mostDescendants)) {
    const key = await findUserKey(tx, device.keyId);
    if (key) await endDevice(tx, outbox, context, key, why, now);
  }
  const made = await findTokensOf(tx, vaultId, firstKeyId, now, mostDescendants);
  for (const user of users.slice(0, mostDescendants))
    await endUser(tx, outbox, context, user, why, now);
  const about = { ...actorOf(context), ...originOf(context, now.getTime()), vaultId };
  for (const tokenId of made) {
    const ended = await revokeToken(tx, { vaultId, tokenId, reason: why }, now);
    if (!ended) continue; // It ended with its user.
    const detail = { revoke_reason: why };
    await outbox.record(
      tx,
      newEvent("identity", "token.revoked", { ...about, subjectId: tokenId, detail }),
    );
  }
  return made;
}
