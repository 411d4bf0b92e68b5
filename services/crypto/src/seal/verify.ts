import { methodPath } from "@sallyport/proto/names/method-path";
import { decodeBody } from "@sallyport/evidence";
import { mayCall } from "@sallyport/roles";
import type {
  ResealRequest,
  SealRequest,
} from "@sallyport/proto/gen/sallyport/crypto/internal/v1/seal_pb.ts";
import {
  type CredentialClaims,
  PrincipalKind,
  type SignedRequest,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  AddVersionRequestSchema,
  CreateSecretRequestSchema,
  RollbackSecretRequestSchema,
  type SealedValue,
  SecretService,
} from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import type { EnvelopeBinding } from "../envelope.ts";
import { type Verifier, checkCredential, checkSignature, demand, present } from "../evidence.ts";

/** The target of a write and the version that it follows, as the user signed them. */
export type WriteTarget = {
  readonly projectId: string;
  readonly secretId: string;
  /** The current version, 0 for a new secret. */
  readonly expectedVersion: number;
  /** The name of a new secret; an AddVersion has none. */
  readonly name?: string;
  readonly value: SealedValue;
};

/**
 * A write that a user with the right role signed, with the names that secrets says the ids have.
 */
export type VerifiedWrite = Omit<WriteTarget, "name"> & {
  readonly projectName: string;
  readonly secretName: string;
  readonly vaultId: string;
  readonly principalId: string;
  readonly requestDigest: Uint8Array;
};

/**
 * A rollback that a user with the right role signed: which version is brought back, and as which.
 */
export type VerifiedRollback = {
  readonly from: EnvelopeBinding;
  readonly to: EnvelopeBinding;
  readonly requestDigest: Uint8Array;
};

const { createSecret, addVersion, rollbackSecret } = SecretService.method;
const createPath = methodPath(createSecret);
const addPath = methodPath(addVersion);
const rollbackPath = methodPath(rollbackSecret);

type Evidence = Pick<SealRequest | ResealRequest, "signedRequest" | "credential">;

/**
 * Proves a write from its evidence alone, trusting neither gateway nor secrets. Only the names are
 * as secrets sent them; the value opens only if the user sealed it for them. Throws EvidenceError
 * naming the step that does not hold, Failure FIELD_INVALID where the user broke a bound. Opens
 * nothing.
 */
export function verifyWrite(request: SealRequest, verifier: Verifier): VerifiedWrite {
  const what = "it is neither CreateSecret nor AddVersion";
  const { signed, ...writer } = proveWriter(request, verifier, {
    paths: [createPath, addPath],
    what,
  });
  const { name, ...target } = decodeTarget(signed);
  const { projectName, secretName } = request;
  demand(
    "binding",
    name === undefined || name === secretName,
    "the name is not the one in the signed body",
  );

  return { ...target, projectName, secretName, ...writer };
}

/**
 * Proves a rollback likewise. Both bindings are as the user signed them, so what secrets adds can
 * only be the envelope that belongs there. Throws the same.
 */
export function verifyRollback(request: ResealRequest, verifier: Verifier): VerifiedRollback {
  const of = { paths: [rollbackPath], what: "it is not RollbackSecret" };
  const { signed, requestDigest, vaultId } = proveWriter(request, verifier, of);
  const body = decodeBody(RollbackSecretRequestSchema, signed);
  const secret = { vaultId, projectId: body.projectId, secretId: body.secretId };
  return {
    requestDigest,
    from: { ...secret, version: body.toVersion },
    to: { ...secret, version: body.expectedVersion + 1 },
  };
}

function proveWriter(
  evidence: Evidence,
  verifier: Verifier,
  { paths, what }: { readonly paths: readonly string[]; readonly what: string },
) {
  const nowMs = verifier.clock();
  const signed = present("signature", evidence.signedRequest);

  const user = checkCredential(evidence.credential, verifier, nowMs);
  const requestDigest = checkSignature(signed, user, verifier, nowMs);
  demand("path", paths.includes(signed.path), what);
  checkRole(signed, user);
  return { signed, requestDigest, vaultId: user.vaultId, principalId: user.principalId };
}

function checkRole({ path }: SignedRequest, user: CredentialClaims): void {
  demand(
    "role",
    user.kind === PrincipalKind.USER && mayCall(path, user),
    "the signer may not write secrets",
  );
}

function decodeTarget(signed: SignedRequest): WriteTarget {
  if (signed.path === createPath) {
    const { projectId, secretId, name, value } = decodeBody(CreateSecretRequestSchema, signed);
    return { projectId, secretId, expectedVersion: 0, name, value: present("body", value) };
  }
  const { projectId, secretId, expectedVersion, value } = decodeBody(
    AddVersionRequestSchema,
    signed,
  );
  return { projectId, secretId, expectedVersion, value: present("body", value) };
}
