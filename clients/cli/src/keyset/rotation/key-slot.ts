import { join } from "node:path";
import { KeyUse } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { type AnswerOwner, answerOwners } from "@sallyport/proto/signing";

/** The uses of keys, as they are typed. */
export const rotatedUses = [
  "credential",
  "permit",
  "slip",
  "sealing",
  "reply",
  "log",
  "answer",
] as const;
/** One of them. */
export type RotatedUse = (typeof rotatedUses)[number];

/** The holder and the use of keys; only answer keys have several holders. */
export type KeySlot = { readonly use: RotatedUse; readonly holder?: AnswerOwner | undefined };

/** The files of a deployment that a rotation changes. */
export type DeploymentFiles = {
  /** The keyset folder. */
  readonly dir: string;
  /** The keyset file of every process, the gateway's first, which gives it to clients. */
  readonly copies: readonly string[];
  readonly keyFile: (slot: KeySlot) => string;
  readonly keyring: string;
  readonly kek: string;
};

const folderOf = {
  credential: "identity",
  permit: "policy",
  slip: "secrets",
  log: "audit",
} as const;
const followers = ["gateway", "audit", "crypto", "policy", "secrets", "identity"];
const minuteMs = 60_000;
const dayMs = 86_400_000;

/**
 * The wait before an accepted key is preferred: every process checks its files every five
 * seconds.
 */
export const takeUpMs = minuteMs;

/** The files of a deployment: a folder with one for each process, as the start lays it out. */
export function filesIn(deployment: string): DeploymentFiles {
  const file = (...path: string[]): string => join(deployment, ...path);
  return {
    dir: file("keyset"),
    copies: followers.map((name) => file(name, "keyset.bin")),
    keyFile({ use, holder }) {
      if (use === "answer") return file(holder ?? "", "answer.key");
      if (use === "sealing" || use === "reply") throw new Error(`${use} keys are in the keyring`);
      return file(folderOf[use], `${use}.key`);
    },
    keyring: file("crypto", "keyring.bin"),
    kek: file("crypto", "kek.key"),
  };
}

/** Every slot of a deployment where keys are rotated. */
export const allKeySlots: readonly KeySlot[] = rotatedUses.flatMap((use): KeySlot[] =>
  use === "answer" ? answerOwners.map((holder) => ({ use, holder })) : [{ use }],
);

/** A slot in words: "the policy answer key", "the credential key". */
export function nameOf({ use, holder }: KeySlot): string {
  return holder === undefined ? `the ${use} key` : `the ${holder} answer key`;
}

/**
 * The use in the keyset; undefined for keys that two processes share and that are not published.
 */
export function keyUseOf({ use }: KeySlot): KeyUse | undefined {
  return {
    credential: KeyUse.CREDENTIAL,
    permit: undefined,
    slip: undefined,
    sealing: KeyUse.SEALING,
    reply: KeyUse.REPLY,
    log: KeyUse.LOG,
    answer: KeyUse.ANSWER,
  }[use];
}

/**
 * For how long something that an old key made may still be on its way, in milliseconds, counted
 * from when its successor is preferred (SIGNING §10), with a minute in which processes take that
 * up. A value is sealed to what a keyset prefers for as long as that keyset is valid. What the log
 * key signed is verified by the public half, which stays.
 */
export function lifeMs({ use }: KeySlot, keysetMs: number): number {
  const lives = {
    credential: minuteMs,
    permit: minuteMs,
    slip: minuteMs,
    sealing: Math.max(7 * dayMs, keysetMs),
    reply: minuteMs,
    log: 0,
    answer: minuteMs,
  };
  return takeUpMs + lives[use];
}
