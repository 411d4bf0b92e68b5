import { type ForwardContext, callerOf, recordOf } from "@sallyport/forward";
import type { Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { RollbackSecretRequest } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { fail, failureOf } from "@sallyport/rpc";
import type { CurrentProjectKey } from "../store/projects.ts";
import { type StoredSecret, advanceVersion } from "../store/secrets.ts";
import { type SealedVersion, findVersion, addVersion as storeVersion } from "../store/versions.ts";
import type { PublicParts } from "./records.ts";
import { requireSecret } from "./require-secret.ts";
import { requireRole } from "./rights.ts";
import { conflict, requireKey, requireSameRequest } from "./writes.ts";

/**
 * Stores the value of a former version as the next one, if the expected one is still current. A
 * repeat of what the same user did just before changes nothing: its answer may have been lost.
 */
export async function rollbackSecret(
  tx: Tx,
  context: ForwardContext,
  request: RollbackSecretRequest,
  parts: PublicParts,
): Promise<StoredSecret> {
  const { userId, vaultId } = callerOf(context);
  const { secretId, projectId, expectedVersion, toVersion } = request;
  await requireRole(context, parts, { secretId }, "secret_id");
  const secret = await requireSecret(tx, vaultId, secretId);
  if (secret.projectId !== projectId) throw fail(Reason.NOT_FOUND, { field: "secret_id" });
  if (isRepeat(secret, request, userId)) return secret;
  if (secret.currentVersion !== expectedVersion) throw conflict(secret);
  const former = await findVersion(tx, vaultId, secretId, toVersion);
  if (!former) throw fail(Reason.NOT_FOUND, { field: "to_version" });
  const key = await requireKey(tx, vaultId, projectId);
  const envelope = await reseal(context, key, former, parts);
  const createdAt = new Date(parts.clock());
  if (!(await advanceVersion(tx, { vaultId, secretId, expectedVersion }, createdAt)))
    throw conflict(await requireSecret(tx, vaultId, secretId));
  const version = expectedVersion + 1;
  const { kind, fieldNames } = former;
  const sealed = { envelope, kind, fieldNames, keyGeneration: key.generation };
  const by = { createdAt, createdBy: userId, rollbackOf: toVersion };
  await storeVersion(tx, { ...sealed, secretId, projectId, version, ...by });
  const detail = { name: secret.name, rollback_of: String(toVersion) };
  const record = {
    ...recordOf(context, createdAt),
    projectId,
    secretId,
    secretVersion: version,
    detail,
  };
  await parts.outbox.record(tx, newEvent("secrets", "secret.rolled_back", record));
  return requireSecret(tx, vaultId, secretId);
}

function isRepeat(
  { currentVersion, rollbackOf, updatedBy }: StoredSecret,
  { expectedVersion, toVersion }: RollbackSecretRequest,
  userId: string,
): boolean {
  return currentVersion === expectedVersion + 1 && rollbackOf === toVersion && updatedBy === userId;
}

// Crypto gets the evidence and verifies it for itself, likewise: the bindings of both envelopes are
// in the signed request.
async function reseal(
  { signedRequest, credential, requestDigest }: ForwardContext,
  key: CurrentProjectKey,
  former: SealedVersion,
  { peers }: PublicParts,
): Promise<Uint8Array> {
  if (!credential) throw fail(Reason.ROLE_REQUIRED);
  const { envelope, wrappedProjectKey: formerProjectKey } = former;
  const evidence = { signedRequest, credential, envelope, formerProjectKey };
  const sealed = await peers.seal
    .reseal({ ...evidence, projectKey: key.wrappedKey })
    .catch((error: unknown) => {
      throw failureOf(error);
    });
  requireSameRequest(sealed, requestDigest);
  return sealed.envelope;
}
