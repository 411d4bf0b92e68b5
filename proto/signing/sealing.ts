import { LABELS, labelled, lengthPrefixed } from "./labels.ts";

/** The context that a sealed write is bound to; it cannot be opened in any other. */
export type WriteBinding = {
  readonly vaultId: string;
  readonly projectId: string;
  readonly secretId: string;
  /** The current version, 0 for a new secret. */
  readonly expectedVersion: number;
  readonly principalId: string;
  /** The number of the ValueKind. */
  readonly kind: number;
  /** The project's name as the user gave it, so that an unsigned lookup cannot choose another. */
  readonly projectName: string;
  /** The secret's name as the user gave it, for the same reason. */
  readonly secretName: string;
};

/** Returns the HPKE `info` of a sealed reply, bound to the request that it answers (SIGNING §9). */
export function readInfo(requestDigest: Uint8Array): Uint8Array<ArrayBuffer> {
  return labelled(LABELS.read, requestDigest);
}

/**
 * Returns the associated data of one value in a sealed reply: secret id and decimal version
 * (SIGNING §9).
 */
export function readAad(secretId: string, version: number): Uint8Array<ArrayBuffer> {
  return lengthPrefixed(secretId, String(version));
}

/**
 * Returns the HPKE `info` of a sealed write: its target by id and name, the expected version, the
 * writer and the layout of the value (SIGNING §9).
 */
export function writeInfo(binding: WriteBinding): Uint8Array<ArrayBuffer> {
  const {
    vaultId,
    projectId,
    secretId,
    expectedVersion,
    principalId,
    kind,
    projectName,
    secretName,
  } = binding;
  const bound = lengthPrefixed(
    vaultId,
    projectId,
    secretId,
    String(expectedVersion),
    principalId,
    String(kind),
    projectName,
    secretName,
  );
  return labelled(LABELS.write, bound);
}
