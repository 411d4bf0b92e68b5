import { EvidenceError, decodeBody, mayCall } from "@sallyport/evidence";
import type { SealRequest } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/seal_pb.ts";
import {
  type CredentialClaims,
  PrincipalKind,
  type SignedRequest,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  AddVersionRequestSchema,
  CreateSecretRequestSchema,
  type SealedValue,
  SecretService,
} from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { type Verifier, checkCredential, checkSignature, demand, present } from "../evidence.ts";

/** Where a write goes and over which version, as the user signed it. */
export type WriteTarget = {
  readonly projectId: string;
  readonly secretId: string;
  /** The current version, 0 for a new secret. */
  readonly expectedVersion: number;
  /** The name of a new secret; an AddVersion has none. */
  readonly name?: string;
  readonly value: SealedValue;
};

/** A write that a user with the right role signed, with the names that secrets says the ids have. */
export type VerifiedWrite = Omit<WriteTarget, "name"> & {
  readonly projectName: string;
  readonly secretName: string;
  readonly vaultId: string;
  readonly principalId: string;
  readonly requestDigest: Uint8Array;
};

const { createSecret, addVersion } = SecretService.method;
const createPath = `/${SecretService.typeName}/${createSecret.name}`;
const addPath = `/${SecretService.typeName}/${addVersion.name}`;

/**
 * Proves a write from its evidence alone, trusting neither gateway nor secrets. Only the names are as secrets told them;
 * the value opens only if the user sealed it for them. Throws EvidenceError naming the step that
 * does not hold, Failure FIELD_INVALID where the user broke a bound. Opens nothing.
 */
export function verifyWrite(request: SealRequest, verifier: Verifier): VerifiedWrite {
  const nowMs = verifier.clock();
  const signed = present("signature", request.signedRequest);

  const user = checkCredential(request.credential, verifier, nowMs);
  const requestDigest = checkSignature(signed, user, verifier, nowMs);
  checkPath(signed);
  checkRole(signed, user);
  const { name, ...target } = decodeTarget(signed);
  const { projectName, secretName } = request;
  demand("binding", name === undefined || name === secretName, "the name is not the one in the signed body");

  return {
    ...target,
    projectName,
    secretName,
    vaultId: user.vaultId,
    principalId: user.principalId,
    requestDigest,
  };
}

function checkPath({ path }: SignedRequest): void {
  demand("path", path === createPath || path === addPath, "it is neither CreateSecret nor AddVersion");
}

function checkRole({ path }: SignedRequest, user: CredentialClaims): void {
  demand("role", user.kind === PrincipalKind.USER && mayCall(path, user), "the signer may not write secrets");
}

function decodeTarget(signed: SignedRequest): WriteTarget {
  switch (signed.path) {
    case createPath: {
      const { projectId, secretId, name, value } = decodeBody(CreateSecretRequestSchema, signed);
      return { projectId, secretId, expectedVersion: 0, name, value: present("body", value) };
    }
    case addPath: {
      const { projectId, secretId, expectedVersion, value } = decodeBody(AddVersionRequestSchema, signed);
      return { projectId, secretId, expectedVersion, value: present("body", value) };
    }
    default:
      throw new EvidenceError("path", "it is neither CreateSecret nor AddVersion");
  }
}
