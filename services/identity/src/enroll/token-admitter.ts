import type {
  EnrollRequest,
  TokenAdmission,
} from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { judgeProof, rejected } from "../admission/proof.ts";
import { type Token, findToken } from "../tokens/store.ts";
import type { Admission, Admitter } from "./admission.ts";
import { admitMachine } from "./store.ts";

/** Returns the admitter of an enrollment token: it is proven by a signature of the token's key. */
export function tokenAdmitter(
  { vaultId, machinePublicKey }: EnrollRequest,
  { tokenId, publicKey, proof }: TokenAdmission,
): Admitter {
  return {
    async prove(db, { newKey }) {
      const known = await findToken(db, vaultId, tokenId);
      const verdict = judgeProof(
        {
          kind: "machine",
          signerKey: newKey,
          vaultId,
          admittingKey: publicKey,
          proof,
          admittedKey: machinePublicKey,
        },
        known,
      );
      if (known && !verdict) return { kind: "proven", admission: admissionOf(known) };
      return { kind: "unproven", verdict: verdict ?? rejected("token"), subjectId: known?.tokenId };
    },
    async refresh(tx) {
      const token = await findToken(tx, vaultId, tokenId);
      return token && admissionOf(token);
    },
    make: (tx, machine, room) => admitMachine(tx, { ...machine, tokenId }, room),
  };
}

/** Returns the admission that a token is. */
export function admissionOf(token: Token): Admission {
  const { vaultId, tokenId, projectIds, secretIds, anyVersion, createdBy } = token;
  const { sourceCidrs, hostnamePattern, machineNamePattern } = token;
  const { machineLifetimeMs, expiresAt, revokedAt, uses, maxUses } = token;
  return {
    vaultId,
    tokenId,
    originId: tokenId,
    scope: { projectIds, secretIds, anyVersion, createdBy },
    machineLifetimeMs,
    restrictions: { sourceCidrs, hostnamePattern, machineNamePattern },
    expiresAt,
    revokedAt,
    uses,
    maxUses,
  };
}
