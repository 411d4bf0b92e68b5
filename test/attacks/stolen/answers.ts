import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { type TrustedKeys, toSallyportError, verifyContent, verifyKeyset } from "@sallyport/client";
import { keyFile, readSettings } from "@sallyport/config";
import { signAnswer } from "@sallyport/evidence";
import { KeysetSchema } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { type AnswerOwner, answerOwners } from "@sallyport/proto/signing";
import { describe, expect, test } from "vitest";
import type { Field } from "../field.ts";
import { folderOf } from "./alone.ts";

const content = Buffer.from("an answer that the thief made up");

/** What an owner's answer key is good for: its own methods, and nobody else's. */
export function describeAnswerKeys(field: () => Field): void {
  const keysOf = ({ system, owner }: Field): Promise<TrustedKeys> => {
    const bytes = folderOf(system, "gateway").get("keyset.bin") ?? new Uint8Array();
    return verifyKeyset(fromBinary(KeysetSchema, bytes), owner.rootFingerprint, Date.now());
  };

  /**
   * How a client meets what the thief of one owner signs in the place of another, under whatever
   * key id.
   */
  async function metAs(thief: AnswerOwner, owner: AnswerOwner, keyId: string): Promise<string> {
    const file = join(field().system.layout.folder(thief), "answer.key");
    const [key] = readSettings({ ANSWER_KEY: file }, { keys: keyFile("ANSWER_KEY") }).keys;
    if (!key) throw new Error("there is no key");
    const requestDigest = randomBytes(32);
    const stolen = { keyId: keyId === "" ? key.keyId : keyId, seed: key.key, epoch: 1 };
    const signed = signAnswer(requestDigest, { case: "response", value: content }, stolen);
    try {
      await verifyContent(signed, content, { owner, requestDigest }, await keysOf(field()));
      return "believed";
    } catch (error) {
      return toSallyportError(error).message;
    }
  }

  describe.each(answerOwners)("%s, stolen: its answer key", (thief) => {
    test("answers for no other owner, under its own key id or the other's", async () => {
      for (const owner of answerOwners.filter((name) => name !== thief)) {
        const file = join(field().system.layout.folder(owner), "answer.key");
        const [other] = readSettings({ ANSWER_KEY: file }, { keys: keyFile("ANSWER_KEY") }).keys;
        for (const keyId of ["", other?.keyId ?? "none"])
          expect(await metAs(thief, owner, keyId)).toMatch(
            `the signature of ${owner} does not hold`,
          );
      }
    });

    test("what it gives: false answers about what it owns itself", async () => {
      expect(await metAs(thief, thief, "")).toBe("believed");
    });
  });
}
