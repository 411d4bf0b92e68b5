import { KeysetFileError } from "../files.ts";
import { type KeySlot, lifeMs, nameOf, takeUpMs } from "./key-slot.ts";

/** A step of a rotation, in their order. */
export const rotationSteps = ["accept", "prefer", "retire"] as const;
/** One of them. */
export type RotationStep = (typeof rotationSteps)[number];

/** A key and the time since it has its slot, in Unix milliseconds; 0 if unknown. */
export type SlotKey = { readonly keyId: string; readonly sinceMs: number };

/** The progress of one key's rotation, read from the keyset and the key files alone. */
export type Standing = {
  readonly slot: KeySlot;
  /** The key that signs, or that is sealed to. */
  readonly preferred: SlotKey;
  /** The key that will be preferred next; until it is accepted, no other process knows it. */
  readonly coming?: (SlotKey & { readonly accepted: boolean }) | undefined;
  /** Keys that were preferred and are still there to verify or open with, or to be taken away. */
  readonly former: readonly SlotKey[];
  /** Public halves that stay in the keyset for what lasts. */
  readonly kept: readonly SlotKey[];
};

/** The next step and its earliest time in Unix milliseconds; 0 for any time. */
export type NextStep = { readonly step: RotationStep; readonly fromMs: number };

/** The step that comes next; `keysetMs` is for how long the keyset is still valid. */
export function nextStep(
  { slot, preferred, coming, former }: Standing,
  keysetMs: number,
): NextStep {
  if (coming?.accepted === true) return { step: "prefer", fromMs: coming.sinceMs + takeUpMs };
  if (coming !== undefined || former.length === 0) return { step: "accept", fromMs: 0 };
  return { step: "retire", fromMs: preferred.sinceMs + lifeMs(slot, keysetMs) };
}

/** The keys of one use, the newest first, and the preferred one. */
export type KeysInOrder = {
  readonly slot: KeySlot;
  readonly file: string;
  readonly keys: readonly string[];
  readonly preferred: string;
};

/**
 * The keys before and after the preferred one. Throws KeysetFileError when they are in no order
 * that a step leaves.
 */
export function aroundPreferred({ slot, file, keys, preferred }: KeysInOrder): {
  readonly newer: string | undefined;
  readonly older: readonly string[];
} {
  const at = keys.indexOf(preferred);
  if (at < 0)
    throw new KeysetFileError(
      `${file} does not hold ${preferred}, which is preferred for ${nameOf(slot)}: put the file ` +
        "back from a copy",
    );
  if (at > 1)
    throw new KeysetFileError(
      `${file} holds ${at} keys in front of ${preferred}: only one can follow it; take the ` +
        "others out",
    );
  return { newer: at === 1 ? keys[0] : undefined, older: keys.slice(at + 1) };
}
