import type { ForwardHandlers } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import type { Database } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { fail } from "@sallyport/rpc";
import { describeDescendants, viewUser } from "../users/views.ts";
import { holdSigner } from "../users/acting-owner.ts";
import { type PolicyScope, excludeUsers } from "../policy.ts";
import { signerOf } from "../audit-fields.ts";
import { findDescendants, findRemovedOf } from "./descendant-store.ts";
import { lockUsersOf } from "../lock-store.ts";
import { findUserKey } from "./store.ts";
import { findUser } from "../users/store.ts";
import { checkPrintable } from "../printable.ts";
import { endCodes } from "../login-codes/end.ts";
import { endDescendants, mostDescendants } from "./end-descendants.ts";
import { endDevice } from "./end.ts";

/** The dependencies of revoking devices. */
export type RevokeDeviceParts = {
  readonly database: Pick<Database, "query">;
  readonly outbox: Pick<Outbox, "record">;
  readonly policy: Pick<PolicyScope, "endUser">;
  readonly clock: () => number;
};

/**
 * Makes RevokeDevice. By default what came of the device ends in the same transaction: a thief of
 * its key may have admitted another device or user, which would stay. With validate_only nothing
 * ends and all of it is returned. Policy is notified of the users after the commit, so that the
 * revocation does not depend on policy: a repeat notifies it again, of all who have ended.
 *
 * Security: of each kind so many end at once, and the device in any case. Were too many refused, a
 * thief could keep the device by making tokens for a few seconds.
 */
export function createRevokeDevice({
  database,
  outbox,
  policy,
  clock,
}: RevokeDeviceParts): ForwardHandlers<typeof UserService>["revokeDevice"] {
  return async (context, request) => {
    const { keyId, reason } = request;
    checkPrintable("reason", reason);
    const { vaultId } = signerOf(context);
    const now = new Date(clock());
    const { user, descendants, removed } = await context.mutate(async (tx) => {
      await lockUsersOf(tx, vaultId);
      await holdSigner(tx, context);
      const key = await findUserKey(tx, keyId);
      if (key?.vaultId !== vaultId) throw fail(Reason.NOT_FOUND);
      if (!request.validateOnly) await endDevice(tx, outbox, context, key, reason, now);
      const found = await findDescendants(tx, vaultId, key.firstKeyId, now, mostDescendants + 1);
      if (!request.validateOnly) {
        if (!request.keepDescendants)
          await endDescendants(tx, outbox, context, key, found, reason, now);
        // The holder of the device may have made a code with it, for a device that this would not
        // end.
        await endCodes(tx, outbox, context, key, now);
      }
      const removed = request.validateOnly
        ? []
        : await findRemovedOf(tx, vaultId, key.firstKeyId, mostDescendants);
      return { user: await findUser(tx, vaultId, key.userId), descendants: found, removed };
    });
    await excludeUsers(policy, vaultId, removed);
    if (!user) throw fail(Reason.INTERNAL, {}, new Error("a device key without its user"));
    return {
      user: await viewUser(database, user, now),
      descendants: describeDescendants(descendants),
    };
  };
}
