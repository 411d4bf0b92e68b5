import type { ForwardHandlers } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import type { Database } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { fail } from "@sallyport/rpc";
import { holdSigner } from "./acting-owner.ts";
import { type PolicyScope, excludeUser } from "../policy.ts";
import { signerOf } from "../audit-fields.ts";
import { lockUsersOf } from "../lock-store.ts";
import { findUser } from "./store.ts";
import { checkPrintable } from "../printable.ts";
import { endUser } from "./end.ts";
import { viewUser } from "./views.ts";

/** The dependencies of removing users. */
export type RemoveUserParts = {
  readonly database: Pick<Database, "query">;
  readonly outbox: Pick<Outbox, "record">;
  readonly policy: Pick<PolicyScope, "endUser">;
  readonly clock: () => number;
};

/**
 * Makes RemoveUser. Everything ends in one transaction: the user's keys, and what the user made
 * that admits others. Of two owners who remove each other at the same time, the second finds itself
 * removed. Policy is notified after the commit, so that the removal does not depend on policy: a
 * repeat notifies it again.
 */
export function createRemoveUser(
  parts: RemoveUserParts,
): ForwardHandlers<typeof UserService>["removeUser"] {
  return async (context, { userId, reason }) => {
    checkPrintable("reason", reason);
    const { vaultId } = signerOf(context);
    const now = new Date(parts.clock());
    const { user, ...revoked } = await context.mutate(async (tx) => {
      await lockUsersOf(tx, vaultId);
      await holdSigner(tx, context);
      const found = await findUser(tx, vaultId, userId);
      if (!found) throw fail(Reason.NOT_FOUND);
      if (found.removedAt) return { user: found, tokensRevoked: 0, loginCodesRevoked: 0 };
      return endUser(tx, parts.outbox, context, found, reason, now);
    });
    await excludeUser(parts.policy, { vaultId, userId });
    return { user: await viewUser(parts.database, user, now), ...revoked };
  };
}
