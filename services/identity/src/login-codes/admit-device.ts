import type { Tx } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { RedeemLoginCodeRequest } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { fail } from "@sallyport/rpc";
import { deviceKeyLifetimeMs, endOf, newKeyId } from "../devices/device-key.ts";
import { type Verdict, rejected } from "../admission/proof.ts";
import { judgeLoginCode } from "./judge.ts";
import { lockUsersOf } from "../lock-store.ts";
import { type LoginCode, lockLoginCode, redeemLoginCode } from "./store.ts";
import type { StoredRole } from "../users/roles.ts";
import { findUserKey, findUserKeyByPublicKey, insertUserKey } from "../devices/store.ts";
import { findUser, insertUser, isUserNameTaken } from "../users/store.ts";

/** A device that was admitted: as a new user, as a further device of one, or again. */
export type Admitted = Guest & {
  readonly how: "newUser" | "newDevice" | "again";
  readonly keyId: string;
  /** The instant from which the key does not work. */
  readonly endsAt: Date;
};

/** The result of a redemption. */
export type Outcome =
  | { readonly kind: "admitted"; readonly admitted: Admitted }
  | { readonly kind: "refused"; readonly verdict: Verdict };

type Guest = {
  readonly userId: string;
  readonly vaultId: string;
  readonly name: string;
  readonly role: StoredRole;
};

/**
 * Spends a login code whose proof holds and makes the device key, or returns why not. The people of
 * the vault change one after another, so names are unique and no device is added to a user who is
 * being removed.
 */
export async function admitDevice(
  tx: Tx,
  request: RedeemLoginCodeRequest,
  now: Date,
): Promise<Outcome> {
  await lockUsersOf(tx, request.vaultId);
  const code = await lockLoginCode(tx, request.vaultId, request.codeId);
  if (!code) return refusal(rejected("token"));
  const redeemer = code.redeemedBy === null ? undefined : await findUserKey(tx, code.redeemedBy);
  const verdict = judgeLoginCode(code, redeemer, request.devicePublicKey, now.getTime());
  if (verdict) return refusal(verdict);
  if (redeemer)
    return { kind: "admitted", admitted: { ...redeemer, how: "again", endsAt: endOf(redeemer) } };
  if (await findUserKeyByPublicKey(tx, request.devicePublicKey)) return refusal(rejected("key"));
  const guest =
    code.userId === null ? await enroll(tx, request, code, now) : await recall(tx, request, code);
  if ("reason" in guest) return refusal(guest);
  return { kind: "admitted", admitted: await addKey(tx, request, code, guest, now) };
}

function refusal(verdict: Verdict): Outcome {
  return { kind: "refused", verdict };
}

async function enroll(
  tx: Tx,
  { userName }: RedeemLoginCodeRequest,
  { vaultId, role }: LoginCode,
  now: Date,
): Promise<Guest | Verdict> {
  if (userName === "") return invalidName("is required");
  if (await isUserNameTaken(tx, vaultId, userName))
    return { reason: Reason.ALREADY_EXISTS, step: "name", metadata: { field: "user_name" } };
  const user = { userId: newId("usr"), vaultId, name: userName, role };
  await insertUser(tx, { ...user, createdAt: now });
  return user;
}

// A code for a further device ends with its user, so one that could be redeemed has a user.
async function recall(
  tx: Tx,
  { userName }: RedeemLoginCodeRequest,
  { vaultId, userId }: LoginCode,
): Promise<Guest | Verdict> {
  const user = await findUser(tx, vaultId, userId ?? "");
  if (!user || user.removedAt) return { reason: Reason.TOKEN_REVOKED, step: "revoked" };
  return userName === "" || userName === user.name
    ? user
    : invalidName("is not the name of the code's user");
}

function invalidName(description: string): Verdict {
  return {
    reason: Reason.FIELD_INVALID,
    step: "name",
    metadata: { field: "user_name", description },
  };
}

async function addKey(
  tx: Tx,
  { devicePublicKey }: RedeemLoginCodeRequest,
  code: LoginCode,
  { userId, vaultId, name, role }: Guest,
  now: Date,
): Promise<Admitted> {
  const keyId = newKeyId(userId);
  const endsAt = new Date(now.getTime() + deviceKeyLifetimeMs);
  await insertUserKey(tx, {
    keyId,
    userId,
    publicKey: devicePublicKey,
    createdAt: now,
    expiresAt: endsAt,
  });
  if (!(await redeemLoginCode(tx, code.codeId, keyId, now)))
    throw fail(Reason.INTERNAL, {}, new Error("a login code was not spent"));
  const how = code.userId === null ? "newUser" : "newDevice";
  return { how, keyId, userId, vaultId, name, role, endsAt };
}
