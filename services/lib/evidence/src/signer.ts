import type { ForwardRequest } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import type {
  PrincipalKind,
  Role,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { parseKeyId } from "@sallyport/proto/signing";
import { openCredential } from "./credential.ts";
import { EvidenceError, atStep, parseRequest } from "@sallyport/proto/verifying";
import type { Trust } from "./trust.ts";

/** The signer of a forwarded request, as the credential says. */
export type Principal = {
  readonly id: string;
  readonly kind: PrincipalKind;
  readonly role: Role;
  readonly vaultId: string;
  readonly keyId: string;
};

/**
 * The key under which a request must be signed, and whose it is; without a principal it is not
 * enrolled yet.
 */
export type Signer = {
  readonly publicKey: Uint8Array;
  readonly keyId: string;
  readonly principal?: Principal;
};

/**
 * Finds whose key must have signed: the credential's, or without one the key that a "key:" keyid
 * spells out. Throws EvidenceError ("credential") when an enrolled keyid comes without its
 * credential.
 */
export function signerOf(
  { signedRequest, credential }: Pick<ForwardRequest, "signedRequest" | "credential">,
  trust: Pick<Trust, "publicKey" | "notAfterMs">,
  nowMs: number,
): Signer {
  if (!signedRequest) throw new EvidenceError("signature", "there is no request");
  if (credential) {
    const {
      principalId: id,
      kind,
      role,
      vaultId,
      keyId,
      publicKey,
    } = openCredential(credential, trust, nowMs);
    return { publicKey, keyId, principal: { id, kind, role, vaultId, keyId } };
  }
  const { keyId } = parseRequest(signedRequest);
  const named = atStep("signature", () => parseKeyId(keyId));
  if (named.kind !== "newKey") throw new EvidenceError("credential", "it is missing");
  return { publicKey: named.publicKey, keyId };
}
