import type { KeysetClaims } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import type { DeploymentFiles, KeySlot } from "./key-slot.ts";
import { publishedKeys } from "./published-keys.ts";
import { sharedKeys } from "./shared-keys.ts";
import type { Standing } from "./standing.ts";

/**
 * The steps of a rotation on the keys of one use. Each of them leaves whole files, and
 * may be repeated.
 */
export type RotatingKeys = {
  standing(): Promise<Standing>;
  /** Makes the key that comes. */
  make(): Promise<void>;
  /** Has everybody who verifies take the coming key, beside the preferred one. */
  accept(standing: Standing): Promise<void>;
  /** Has the coming key sign instead of the preferred one. */
  prefer(standing: Standing): Promise<void>;
  /** Takes the former keys from those who verify, and then their private halves. */
  retire(standing: Standing): Promise<void>;
};

/** The keyset as it is, and how to sign one with other keys; it reaches every process. */
export type KeysetInHand = {
  claims(): Promise<KeysetClaims>;
  sign(keys: KeysetClaims["keys"]): Promise<void>;
  /**
   * Gives it to the processes that a step which was cut off left with the one before; tells whether
   * there were any.
   */
  settle(): Promise<boolean>;
};

/** The keys of a slot: named in the keyset, or shared by two processes. */
export function keysOf(
  slot: KeySlot,
  files: DeploymentFiles,
  keyset: KeysetInHand,
  nowMs: number,
): RotatingKeys {
  return slot.use === "permit" || slot.use === "slip"
    ? sharedKeys(slot, slot.use, files)
    : publishedKeys(slot, files, keyset, nowMs);
}
