import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { verifyEd25519 } from "@sallyport/evidence";
import type { ForwardContext, ForwardHandlers } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import { type Tx, isUniqueViolation } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type {
  RenewDeviceRequest,
  UserService,
} from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { renewalStatement } from "@sallyport/proto/signing";
import { fail } from "@sallyport/rpc";
import { deviceKeyLifetimeMs, endOf, newKeyId } from "./device-key.ts";
import { holdSigner } from "../users/acting-owner.ts";
import { actorOf, originOf, signerOf } from "../audit-fields.ts";
import { lockUsersOf } from "../lock-store.ts";
import {
  type NewUserKey,
  type UserKey,
  findUserKey,
  findUserKeyByPublicKey,
  insertUserKey,
  markRenewed,
  revokeDeviceKeys,
} from "./store.ts";

/** The dependencies of renewing devices. */
export type RenewDeviceParts = {
  readonly outbox: Pick<Outbox, "record">;
  readonly clock: () => number;
};

type NewKey = Pick<NewUserKey, "keyId" | "expiresAt">;

/**
 * Makes RenewDevice. The old key vouches by signing the request, the new one proves itself (SIGNING
 * §8). A device has one new key at a time: a second one replaces the first, whose answer
 * may have been lost.
 */
export function createRenewDevice(
  parts: RenewDeviceParts,
): ForwardHandlers<typeof UserService>["renewDevice"] {
  return async (context, request) => {
    const { vaultId } = signerOf(context);
    const now = new Date(parts.clock());
    const { key, old } = await context
      .mutate(async (tx) => {
        await lockUsersOf(tx, vaultId);
        const signer = await holdSigner(tx, context);
        const present = await presentKey(tx, signer.keyId);
        prove(present, request);
        const renewed = await renew(tx, parts, context, present, request.newPublicKey, now);
        return { key: renewed, old: { ...present, renewedAt: present.renewedAt ?? now } };
      })
      .catch((error: unknown) => {
        // A login code admitted the same key concurrently.
        if (isUniqueViolation(error, "user_keys_public_key")) throw keyTaken(error);
        throw error;
      });
    return {
      keyId: key.keyId,
      keyExpiresAt: timestampFromDate(key.expiresAt),
      oldKeyEndsAt: timestampFromDate(endOf(old)),
    };
  };
}

async function presentKey(tx: Tx, keyId: string): Promise<UserKey> {
  const key = await findUserKey(tx, keyId);
  if (!key)
    throw fail(Reason.INTERNAL, {}, new Error("a credential names a key that does not exist"));
  return key;
}

function prove({ vaultId, publicKey }: UserKey, { newPublicKey, proof }: RenewDeviceRequest): void {
  const statement = renewalStatement(vaultId, publicKey, newPublicKey);
  if (!verifyEd25519(newPublicKey, statement, proof)) throw fail(Reason.REQUEST_REJECTED);
}

async function renew(
  tx: Tx,
  { outbox }: RenewDeviceParts,
  context: ForwardContext,
  present: UserKey,
  publicKey: Uint8Array,
  now: Date,
): Promise<NewKey> {
  const { keyId: formerKeyId, userId, vaultId, firstKeyId } = present;
  const known = await findUserKeyByPublicKey(tx, publicKey);
  if (known && isSuccessor(known, present)) return known;
  if (known) throw keyTaken();
  const expiresAt = new Date(now.getTime() + deviceKeyLifetimeMs);
  const key = { keyId: newKeyId(userId), userId, publicKey, firstKeyId, createdAt: now, expiresAt };
  await insertUserKey(tx, key);
  await revokeDeviceKeys(tx, firstKeyId, now, [formerKeyId, key.keyId]);
  await markRenewed(tx, formerKeyId, now);
  const event = newEvent("identity", "device.renewed", {
    ...actorOf(context),
    ...originOf(context, now.getTime()),
    vaultId,
    subjectId: userId,
    detail: { key_id: key.keyId, former_key_id: formerKeyId, expires_at: expiresAt.toISOString() },
  });
  await outbox.record(tx, event);
  return key;
}

// The key that this device was renewed to before. Its predecessor was revoked by then.
function isSuccessor(known: UserKey, { keyId, firstKeyId, renewedAt }: UserKey): boolean {
  const ofDevice = known.firstKeyId === firstKeyId && known.keyId !== keyId;
  return ofDevice && renewedAt !== null && known.revokedAt === null;
}

function keyTaken(cause?: unknown): Error {
  return fail(Reason.ALREADY_EXISTS, { field: "new_public_key" }, cause);
}
