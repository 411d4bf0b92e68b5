import { createHash } from "node:crypto";
import { EvidenceError, type MacKey, decodeBody, openPermit, openSlip } from "@sallyport/evidence";
import type {
  OpenItem,
  SealedSecret,
} from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import {
  type CredentialClaims,
  type Permit,
  type PermitClaims,
  type PermitSecret,
  PrincipalKind,
  SealingSuite,
  type SignedRequest,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type ReadSecretsRequest,
  ReadSecretsRequestSchema,
  ReadService,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { methodPath } from "@sallyport/proto/names/method-path";
import { Failure } from "@sallyport/rpc";
import { demand, present, sameBytes } from "../evidence.ts";
import type { VerifiedSecret } from "./verify.ts";

const readPath = methodPath(ReadService.method.readSecrets);

/** Only machines read values. Throws EvidenceError ("credential"). */
export function checkMachine({ kind }: CredentialClaims): void {
  demand("credential", kind === PrincipalKind.MACHINE, "it is not a machine's");
}

/** The machine signed a read, not another request. Throws EvidenceError ("path"). */
export function checkPath({ path }: SignedRequest): void {
  demand("path", path === readPath, "it is not ReadSecrets");
}

/** The item is about the request that came with it. Throws EvidenceError ("binding"). */
export function checkDigest({ requestDigest }: OpenItem, digest: Uint8Array): void {
  demand("binding", sameBytes(requestDigest, digest), "the item names another request");
}

/**
 * Reads what the machine asked for from the bytes that it signed. Throws EvidenceError ("body",
 * "content-type").
 */
export function decodeAsked(signed: SignedRequest): ReadSecretsRequest {
  try {
    return decodeBody(ReadSecretsRequestSchema, signed);
  } catch (error) {
    if (error instanceof Failure)
      throw new EvidenceError("body", "a field breaks its bounds", error);
    throw error;
  }
}

/**
 * Policy decided about this machine and this request, just now. Throws EvidenceError ("permit").
 */
export function checkPermit(
  sealed: Permit | undefined,
  { principalId }: CredentialClaims,
  digest: Uint8Array,
  keys: readonly MacKey[],
  nowMs: number,
): PermitClaims {
  const permit = openPermit(present("permit", sealed), keys, nowMs);
  demand("permit", sameBytes(permit.requestDigest, digest), "it is for another request");
  demand("permit", permit.machineId === principalId, "it is for another machine");
  const ids = new Set(permit.secrets.map(({ secretId }) => secretId));
  demand("permit", ids.size === permit.secrets.length, "it names a secret twice");
  return permit;
}

/**
 * Checks that the permit is for what the machine asked for, no more and no less. Throws
 * EvidenceError ("body").
 */
export function checkAsked(asked: ReadSecretsRequest, permit: PermitClaims): void {
  checkTarget(asked, permit);
  const { secretIds, projectId, version, allOrNothing } = asked;
  const { secrets } = permit;
  if (secretIds.length > 0) {
    const decided = new Set(secrets.map(({ secretId }) => secretId));
    const same = secretIds.length === secrets.length && secretIds.every((id) => decided.has(id));
    demand("body", same, "it asks for other secrets than the permit is about");
  }
  const inProject = projectId === "" || secrets.every((secret) => secret.projectId === projectId);
  demand("body", inProject, "it asks for another project than the permit is about");
  const selected = secrets.every(({ requestedVersion }) => requestedVersion === version);
  demand("body", selected, "it asks for another version than the permit is about");
  demand(
    "body",
    !allOrNothing || secrets.every(isAllowed),
    "it asks for all or nothing, and not all is allowed",
  );
}

// Security: a permit for less than was asked, another page included, would make a reply that is
// short but truly signed.
function checkTarget(asked: ReadSecretsRequest, permit: PermitClaims): void {
  const same = asked.projectId === permit.projectId && asked.allGranted === permit.allGranted;
  demand("body", same, "it asks for another target than the permit is about");
  demand(
    "body",
    asked.pageToken === permit.pageToken,
    "it asks for another page than the permit is about",
  );
}

/**
 * The key to seal to is in the bytes that the machine signed, and there when policy demands it.
 * Throws EvidenceError.
 */
export function checkRecipient(
  { recipient }: ReadSecretsRequest,
  { sealedOnly }: PermitClaims,
): Uint8Array | undefined {
  demand(
    "permit",
    recipient !== undefined || !sealedOnly,
    "it allows only a sealed reply, and the request names no recipient",
  );
  if (recipient === undefined) return undefined;
  demand(
    "body",
    recipient.suite === SealingSuite.HPKE_X25519_SHA256_AES256GCM,
    "it names an unknown suite",
  );
  return recipient.publicKey;
}

/**
 * Secrets vouched, just now and for this request, that each envelope is the one that answers; there
 * is one for every secret allowed and none besides. Throws EvidenceError ("slip").
 */
export function checkSlips(
  sealed: readonly SealedSecret[],
  { secrets }: PermitClaims,
  digest: Uint8Array,
  keys: readonly MacKey[],
  nowMs: number,
): VerifiedSecret[] {
  const answers = new Map(
    sealed
      .map((secret) => checkSlip(secret, digest, keys, nowMs))
      .map((answer) => [answer.secretId, answer]),
  );
  const allowed = secrets.filter(isAllowed);
  demand(
    "slip",
    sealed.length === allowed.length,
    "there is not one envelope for every secret allowed",
  );
  return allowed.map(({ secretId, requestedVersion }) => {
    const answer = present("slip", answers.get(secretId));
    const selected = requestedVersion === 0 || answer.version === requestedVersion;
    demand(
      "slip",
      answer.requestedVersion === requestedVersion && selected,
      "it answers for another version",
    );
    return answer;
  });
}

/**
 * Vault and project are the same in credential, permit and slip. Throws EvidenceError ("binding").
 */
export function checkBindings(
  machine: CredentialClaims,
  permit: PermitClaims,
  secrets: readonly VerifiedSecret[],
): void {
  demand(
    "binding",
    permit.vaultId === machine.vaultId,
    "permit and credential name different vaults",
  );
  const projects = new Map(permit.secrets.map(({ secretId, projectId }) => [secretId, projectId]));
  for (const { vaultId, projectId, secretId } of secrets) {
    demand("binding", vaultId === machine.vaultId, "slip and credential name different vaults");
    demand(
      "binding",
      projectId === projects.get(secretId),
      "slip and permit name different projects",
    );
  }
}

/** Tells whether policy allowed the secret. */
export function isAllowed({ refusal }: PermitSecret): boolean {
  return refusal === undefined;
}

function checkSlip(
  { envelope, projectKey, slip }: SealedSecret,
  digest: Uint8Array,
  keys: readonly MacKey[],
  nowMs: number,
): VerifiedSecret {
  const claims = openSlip(present("slip", slip), keys, nowMs);
  demand("slip", sameBytes(claims.requestDigest, digest), "it is for another request");
  const envelopeSha256 = createHash("sha256").update(envelope).digest();
  demand("slip", sameBytes(claims.envelopeSha256, envelopeSha256), "it is about another envelope");
  const { vaultId, projectId, secretId, name, version, requestedVersion } = claims;
  return {
    vaultId,
    projectId,
    secretId,
    name,
    version,
    requestedVersion,
    envelope,
    wrappedProjectKey: projectKey,
  };
}
