import { type ForwardContext, callerOf, recordOf } from "@sallyport/forward";
import { type Tx, isUniqueViolation } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import type { SealResponse } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/seal_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type {
  AddVersionRequest,
  CreateSecretRequest,
} from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { fail, failureOf } from "@sallyport/rpc";
import { secretIdOf } from "@sallyport/proto/signing";
import { dangerOf } from "@sallyport/proto/env-names";
import { type CurrentProjectKey, currentProjectKey, keepProject } from "../store/projects.ts";
import {
  type NewSecret,
  type StoredSecret,
  addSecret,
  advanceVersion,
  findSecret,
} from "../store/secrets.ts";
import { addVersion as storeVersion } from "../store/versions.ts";
import { nameTaken, orNameTaken } from "./name-conflicts.ts";
import type { PublicParts } from "./records.ts";
import { requireSecret } from "./require-secret.ts";
import { requireRole } from "./rights.ts";

type Sealed = Pick<SealResponse, "envelope" | "kind" | "fieldNames"> & {
  readonly keyGeneration: number;
};

// These writes run inside the transaction that noted the request, so a replay reaches neither
// crypto nor policy.

/**
 * Makes a secret: crypto opens and seals the value, policy learns the id, then secret and version 1
 * are stored.
 */
export async function createSecret(
  tx: Tx,
  context: ForwardContext,
  request: CreateSecretRequest,
  parts: PublicParts,
): Promise<StoredSecret> {
  const { userId, vaultId } = callerOf(context);
  const { secretId, projectId, name, note } = request;
  // Security: before anything is looked up, so that what another vault has is refused as what is
  // nowhere.
  if (secretIdOf(vaultId, request.idNonce) !== secretId)
    throw fail(Reason.FIELD_INVALID, {
      field: "secret_id",
      description: "it is not the id that id_nonce gives in this vault",
    });
  await requireRole(context, parts, { projectId }, "project_id");
  const danger = request.allowDangerousName ? undefined : dangerOf(name);
  if (danger !== undefined) throw fail(Reason.NAME_DANGEROUS, { name, description: danger });
  if (!(await keepProject(tx, vaultId, projectId)))
    throw fail(Reason.NOT_FOUND, { field: "project_id" });
  const key = await requireKey(tx, vaultId, projectId);
  if (await findSecret(tx, vaultId, { projectId, name })) throw nameTaken();
  const sealed = await seal(context, key, name, parts);
  await parts.peers.directory
    .registerResources({ vaultId, secrets: [{ secretId, projectId }] })
    .catch(rethrow);
  const createdAt = new Date(parts.clock());
  await store(tx, { secretId, projectId, vaultId, name, note, createdAt, createdBy: userId });
  const by = { createdAt, createdBy: userId, rollbackOf: 0 };
  await storeVersion(tx, { ...sealed, secretId, projectId, version: 1, ...by });
  const record = {
    ...recordOf(context, createdAt),
    projectId,
    secretId,
    secretVersion: 1,
    detail: { name },
  };
  await parts.outbox.record(tx, newEvent("secrets", "secret.created", record));
  return requireSecret(tx, vaultId, secretId);
}

/**
 * Stores the next version if the expected one is still current; of writers that expect the same,
 * one wins.
 */
export async function addVersion(
  tx: Tx,
  context: ForwardContext,
  request: AddVersionRequest,
  parts: PublicParts,
): Promise<StoredSecret> {
  const { userId, vaultId } = callerOf(context);
  const { secretId, projectId, expectedVersion } = request;
  await requireRole(context, parts, { secretId }, "secret_id");
  const secret = await requireSecret(tx, vaultId, secretId);
  if (secret.projectId !== projectId) throw fail(Reason.NOT_FOUND, { field: "secret_id" });
  if (secret.currentVersion !== expectedVersion) throw conflict(secret);
  const key = await requireKey(tx, vaultId, projectId);
  const sealed = await seal(context, key, secret.name, parts);
  const createdAt = new Date(parts.clock());
  // The update is the comparison that counts: the one above only spares crypto what is lost
  // already.
  if (!(await advanceVersion(tx, { vaultId, secretId, expectedVersion }, createdAt)))
    throw conflict(await requireSecret(tx, vaultId, secretId));
  const version = expectedVersion + 1;
  const by = { createdAt, createdBy: userId, rollbackOf: 0 };
  await storeVersion(tx, { ...sealed, secretId, projectId, version, ...by });
  const detail = { name: secret.name };
  const record = {
    ...recordOf(context, createdAt),
    projectId,
    secretId,
    secretVersion: version,
    detail,
  };
  await parts.outbox.record(tx, newEvent("secrets", "secret.version.added", record));
  return requireSecret(tx, vaultId, secretId);
}

/** Demands that crypto answered this very request. Throws Failure INTERNAL. */
export function requireSameRequest(
  sealed: { readonly requestDigest: Uint8Array },
  requestDigest: Uint8Array,
): void {
  if (Buffer.compare(sealed.requestDigest, requestDigest) !== 0)
    throw fail(Reason.INTERNAL, {}, new Error("crypto answered another request"));
}

// Crypto gets the evidence and verifies it for itself; what comes back is sealed, and names no
// plaintext. The names are the stored ones: a value that a gateway sent elsewhere than the user
// meant was sealed for others and does not open.
async function seal(
  { signedRequest, credential, requestDigest }: ForwardContext,
  key: CurrentProjectKey,
  secretName: string,
  { peers }: PublicParts,
): Promise<Sealed> {
  if (!credential) throw fail(Reason.ROLE_REQUIRED);
  const sealed = await peers.seal
    .seal({
      signedRequest,
      credential,
      projectKey: key.wrappedKey,
      projectName: key.projectName,
      secretName,
    })
    .catch(rethrow);
  requireSameRequest(sealed, requestDigest);
  const { envelope, kind, fieldNames } = sealed;
  return { envelope, kind, fieldNames, keyGeneration: key.generation };
}

/** The key that a project's new versions are sealed under. Throws Failure NOT_FOUND. */
export async function requireKey(
  tx: Tx,
  vaultId: string,
  projectId: string,
): Promise<CurrentProjectKey> {
  const key = await currentProjectKey(tx, vaultId, projectId);
  if (!key) throw fail(Reason.NOT_FOUND, { field: "project_id" });
  return key;
}

async function store(tx: Tx, secret: NewSecret): Promise<void> {
  try {
    await orNameTaken(() => addSecret(tx, secret));
  } catch (error) {
    if (isUniqueViolation(error, "secrets_id"))
      throw fail(Reason.ALREADY_EXISTS, { field: "secret_id" });
    throw error;
  }
}

/** The refusal of a write over another version than the current one. */
export function conflict({ currentVersion }: StoredSecret): Error {
  return fail(Reason.VERSION_CONFLICT, { current_version: String(currentVersion) });
}

function rethrow(error: unknown): never {
  throw failureOf(error);
}
