import type { ForwardContext } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import type { Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { requireOwner } from "./acting-owner.ts";
import { actorOf, originOf } from "../audit-fields.ts";
import { recordKeyChanges } from "../keys/change-store.ts";
import { revokeTokensOf } from "../tokens/store.ts";
import { revokeKeysOf } from "../devices/store.ts";
import { type User, markRemoved } from "./store.ts";
import { endCodes } from "../login-codes/end.ts";

/** A user who was removed, and how much ended with the user. */
export type EndedUser = {
  readonly user: User;
  readonly tokensRevoked: number;
  readonly loginCodesRevoked: number;
};

/**
 * Removes a user permanently: the keys, and what the user made that admits others. The vault's
 * people are locked meanwhile. Throws Failure LAST_OWNER.
 */
export async function endUser(
  tx: Tx,
  outbox: Pick<Outbox, "record">,
  context: ForwardContext,
  user: User,
  reason: string,
  now: Date,
): Promise<EndedUser> {
  const { userId, vaultId, name, role } = user;
  await markRemoved(tx, user, now);
  const devices = await revokeKeysOf(tx, userId, now);
  if (role === "owner") await requireOwner(tx, vaultId, now);
  const why = reason === "" ? "its maker was removed" : `its maker was removed: ${reason}`;
  const tokens = await revokeTokensOf(tx, vaultId, userId, why, now);
  const loginCodesRevoked = await endCodes(tx, outbox, context, user, now);
  await recordKeyChanges(tx, [userId]);
  const about = { ...actorOf(context), ...originOf(context, now.getTime()), vaultId };
  const counts = { tokens: `${tokens.length}`, login_codes: `${loginCodesRevoked}` };
  await outbox.record(
    tx,
    newEvent("identity", "user.removed", {
      ...about,
      subjectId: userId,
      detail: { name, role, devices: `${devices}`, ...counts, remove_reason: reason },
    }),
    ...tokens.map((tokenId) =>
      newEvent("identity", "token.revoked", {
        ...about,
        subjectId: tokenId,
        detail: { revoke_reason: why },
      }),
    ),
  );
  return {
    user: { ...user, removedAt: now },
    tokensRevoked: tokens.length,
    loginCodesRevoked,
  };
}
