import type { ForwardHandlers } from "@sallyport/evidence";
import type { Outbox } from "@sallyport/outbox";
import type { Database } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { fail } from "@sallyport/rpc";
import { holdSigner } from "../people.ts";
import { signerOf } from "../reports.ts";
import { lockPeopleOf } from "../store/locks.ts";
import { findUserKey } from "../store/user-keys.ts";
import { findUser } from "../store/users.ts";
import { checkPrintable } from "../text.ts";
import { endCodes } from "./end-codes.ts";
import { endDevice } from "./end-device.ts";
import { viewUser } from "./user-views.ts";

/** What revoking devices works with. */
export type RevokeDeviceParts = {
  readonly database: Pick<Database, "query">;
  readonly outbox: Pick<Outbox, "record">;
  readonly clock: () => number;
};

/** Makes RevokeDevice. */
export function createRevokeDevice({
  database,
  outbox,
  clock,
}: RevokeDeviceParts): ForwardHandlers<typeof UserService>["revokeDevice"] {
  return async (context, { keyId, reason }) => {
    checkPrintable("reason", reason);
    const { vaultId } = signerOf(context);
    const now = new Date(clock());
    const user = await context.mutate(async (tx) => {
      await lockPeopleOf(tx, vaultId);
      await holdSigner(tx, context);
      const key = await findUserKey(tx, keyId);
      if (key?.vaultId !== vaultId) throw fail(Reason.NOT_FOUND);
      await endDevice(tx, outbox, context, key, reason, now);
      // Whoever has the device may have made a code with it, for a device that this would not end.
      await endCodes(tx, outbox, context, key, now);
      return findUser(tx, vaultId, key.userId);
    });
    if (!user) throw fail(Reason.INTERNAL, {}, new Error("a device key without its user"));
    return { user: await viewUser(database, user, now) };
  };
}
