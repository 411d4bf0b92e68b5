import { randomBytes } from "node:crypto";
import { publicKeyOf } from "@sallyport/evidence";
import { KeyUse } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { type AnswerOwner, answerOwners } from "@sallyport/proto/signing";

/** The answer keys of a deployment: the lines of its keyset, and each owner's key file. */
export type TestAnswerKeys = {
  readonly published: readonly {
    readonly keyId: string;
    readonly use: KeyUse;
    readonly holder: AnswerOwner;
    readonly publicKey: Uint8Array;
  }[];
  of(owner: AnswerOwner): { readonly keyId: string; readonly key: Uint8Array }[];
};

/** Makes a key for every owner. */
export function createAnswerKeys(): TestAnswerKeys {
  const seeds = new Map(answerOwners.map((owner) => [owner, new Uint8Array(randomBytes(32))]));
  const keyId = (owner: AnswerOwner) => `answer-${owner}-1`;
  return {
    published: [...seeds].map(([holder, seed]) => ({
      keyId: keyId(holder),
      use: KeyUse.ANSWER,
      holder,
      publicKey: publicKeyOf(seed),
    })),
    of(owner) {
      const key = seeds.get(owner);
      return key ? [{ keyId: keyId(owner), key }] : [];
    },
  };
}
