import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { SealingSuite, ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { writeInfo } from "@sallyport/proto/signing";
import { type Failure, fail } from "@sallyport/rpc";
import { zeroing } from "@sallyport/proto/keyring";
import {
  type PlaintextKind,
  isPlaintextKind,
  maxPlaintextBytes,
  sealEnvelope,
} from "../envelope.ts";
import type { SealingKey } from "../hpke.ts";
import type { ProjectKey } from "../project-key.ts";
import { FieldsError, fieldNamesOf } from "./fields.ts";
import type { VerifiedWrite } from "./verify.ts";

/** The sealing keys by key id. */
export type SealingKeys = ReadonlyMap<string, SealingKey>;

/** A value in its envelope. */
export type SealedVersion = {
  readonly envelope: Uint8Array;
  readonly kind: PlaintextKind;
  readonly fieldNames: string[];
};

/**
 * Opens what the user sealed for this very write, checks its layout, and seals it into the envelope
 * of the next version. Throws Failure FIELD_INVALID or TOO_LARGE, in words that hold nothing of the
 * value.
 */
export async function sealVersion(
  write: VerifiedWrite,
  keys: SealingKeys,
  projectKey: ProjectKey,
): Promise<SealedVersion> {
  return zeroing(await openValue(write, keys), (plaintext) => {
    const { kind } = write.value;
    if (!isPlaintextKind(kind)) throw invalid("is of an unknown kind");
    const fieldNames = checkPlaintext(plaintext, kind);
    const binding = { ...write, version: write.expectedVersion + 1 };
    return { envelope: sealEnvelope(plaintext, kind, binding, projectKey), kind, fieldNames };
  });
}

async function openValue(write: VerifiedWrite, keys: SealingKeys): Promise<Uint8Array> {
  const { suite, keyId, encapsulatedKey, ciphertext, kind } = write.value;
  if (suite !== SealingSuite.HPKE_X25519_SHA256_AES256GCM)
    throw invalid("is sealed with an unknown suite");
  const key = keys.get(keyId);
  if (!key) throw invalid("is sealed to a key that is not in use: get the keyset again");
  try {
    return await key.open(writeInfo({ ...write, kind }), encapsulatedKey, ciphertext);
  } catch (error) {
    throw invalid(
      "does not open for this vault, project, secret, their names, version, kind and user",
      error,
    );
  }
}

// Size and layout; returns the sorted names of the fields, none for a single value.
function checkPlaintext(plaintext: Uint8Array, kind: PlaintextKind): string[] {
  if (plaintext.length > maxPlaintextBytes)
    throw fail(Reason.TOO_LARGE, { limit_bytes: String(maxPlaintextBytes) });
  if (kind === ValueKind.SINGLE) return [];
  try {
    return fieldNamesOf(plaintext);
  } catch (error) {
    if (error instanceof FieldsError) throw invalid(error.message);
    throw error;
  }
}

function invalid(description: string, cause?: unknown): Failure {
  return fail(Reason.FIELD_INVALID, { field: "value", description }, cause);
}
