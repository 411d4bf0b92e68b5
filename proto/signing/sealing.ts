import { LABELS, labelled, lengthPrefixed } from "./labels.ts";

/** What a sealed write is bound to; it opens nowhere else. */
export type WriteBinding = {
  readonly vaultId: string;
  readonly projectId: string;
  readonly secretId: string;
  /** The current version, 0 for a new secret. */
  readonly expectedVersion: number;
  readonly principalId: string;
  /** The number of the ValueKind. */
  readonly kind: number;
  /** As the user names the project, so that an unsigned lookup cannot choose another. */
  readonly projectName: string;
  /** As the user names the secret, likewise. */
  readonly secretName: string;
};

/** The HPKE `info` of a sealed reply, bound to the request that it answers (SIGNING §9). */
export function readInfo(requestDigest: Uint8Array): Uint8Array<ArrayBuffer> {
  return labelled(LABELS.read, requestDigest);
}

/**
 * The associated data of one value in a sealed reply: secret id and decimal version (SIGNING §9).
 */
export function readAad(secretId: string, version: number): Uint8Array<ArrayBuffer> {
  return lengthPrefixed(secretId, String(version));
}

/**
 * The HPKE `info` of a sealed write: where it goes, by id and name, over which version, by whom, in
 * which layout (§9).
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
