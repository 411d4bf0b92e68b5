import type { ForwardContext } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import type { Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { actorOf, originOf } from "../audit-fields.ts";
import { revokeCodesOf } from "./store.ts";
import type { User } from "../users/store.ts";

/**
 * Ends the login codes that a user made, or that would add a device to the user, as far as they
 * were not redeemed: each has a record. Returns how many. The vault's people are locked meanwhile.
 */
export async function endCodes(
  tx: Tx,
  outbox: Pick<Outbox, "record">,
  context: ForwardContext,
  { vaultId, userId }: Pick<User, "vaultId" | "userId">,
  now: Date,
): Promise<number> {
  const codes = await revokeCodesOf(tx, vaultId, userId, now);
  const about = { ...actorOf(context), ...originOf(context, now.getTime()), vaultId };
  await outbox.record(
    tx,
    ...codes.map(({ codeId, role }) =>
      newEvent("identity", "login_code.revoked", { ...about, subjectId: codeId, detail: { role } }),
    ),
  );
  return codes.length;
}
