import type { ForwardContext, ForwardHandlers } from "@sallyport/evidence";
import type { Outbox } from "@sallyport/outbox";
import type { Database, Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { fail } from "@sallyport/rpc";
import { holdSigner, requireOwner } from "../people.ts";
import { actorOf, originOf, signerOf } from "../reports.ts";
import { recordKeyChanges } from "../store/key-changes.ts";
import { lockPeopleOf } from "../store/locks.ts";
import { revokeTokensOf } from "../store/tokens.ts";
import { revokeKeysOf } from "../store/user-keys.ts";
import { type User, findUser, markRemoved } from "../store/users.ts";
import { checkPrintable } from "../text.ts";
import { endCodes } from "./end-codes.ts";
import { viewUser } from "./user-views.ts";

/** What removing users works with. */
export type RemoveUserParts = {
  readonly database: Pick<Database, "query">;
  readonly outbox: Pick<Outbox, "record">;
  readonly clock: () => number;
};

type Removed = { readonly user: User; readonly tokensRevoked: number; readonly loginCodesRevoked: number };

/**
 * Makes RemoveUser. Everything ends in one transaction: the user's keys, and what the user made that lets others in. Of two
 * owners who remove each other at the same time, the second finds himself removed.
 */
export function createRemoveUser(parts: RemoveUserParts): ForwardHandlers<typeof UserService>["removeUser"] {
  return async (context, { userId, reason }) => {
    checkPrintable("reason", reason);
    const { vaultId } = signerOf(context);
    const now = new Date(parts.clock());
    const { user, ...revoked } = await context.mutate(async (tx) => {
      await lockPeopleOf(tx, vaultId);
      await holdSigner(tx, context);
      const found = await findUser(tx, vaultId, userId);
      if (!found) throw fail(Reason.NOT_FOUND);
      if (found.removedAt) return { user: found, tokensRevoked: 0, loginCodesRevoked: 0 };
      return remove(tx, parts, context, found, reason, now);
    });
    return { user: await viewUser(parts.database, user, now), ...revoked };
  };
}

async function remove(
  tx: Tx,
  { outbox }: RemoveUserParts,
  context: ForwardContext,
  user: User,
  reason: string,
  now: Date,
): Promise<Removed> {
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
      newEvent("identity", "token.revoked", { ...about, subjectId: tokenId, detail: { revoke_reason: why } }),
    ),
  );
  return {
    user: { ...user, removedAt: now },
    tokensRevoked: tokens.length,
    loginCodesRevoked,
  };
}
