import { randomBytes } from "node:crypto";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { publicKeyOf } from "@sallyport/evidence";
import {
  KeysetClaimsSchema,
  KeysetSchema,
  KeyUse,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { type KeyFileEntry, formatKeyFile } from "@sallyport/proto/keyring";
import type { AnswerOwner } from "@sallyport/proto/signing";
import { signTestKeyset } from "./keyset.ts";

/** A deployment's keyset, what signs it, and an owner's answer keys in it. */
export type AnswerFilesOptions = {
  readonly owner: AnswerOwner;
  readonly rootSeed: Uint8Array;
  readonly keyset: Uint8Array;
  readonly answerKeys: readonly KeyFileEntry[];
};

/** The keyset and the answer keys of a process as files that it follows. */
export type AnswerFiles = Disposable & {
  /** What the process is configured with. */
  readonly config: {
    readonly keyset: string;
    readonly answerKeys: { readonly variable: string; readonly file: string };
  };
  /** Puts a new key in front of the old, in the file and in the keyset; returns its id. */
  replace(): string;
};

/** Writes the files. */
export function createAnswerFiles({
  owner,
  rootSeed,
  keyset: signed,
  answerKeys,
}: AnswerFilesOptions): AnswerFiles {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-answer-files-"));
  const [keyset, file] = [join(dir, "keyset.bin"), join(dir, "answer.key")];
  const put = (path: string, content: Uint8Array): void => {
    writeFileSync(`${path}.new`, content, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  };
  put(keyset, signed);
  put(file, formatKeyFile(answerKeys));
  return {
    config: { keyset, answerKeys: { variable: "SALLYPORT_ANSWER_KEY_FILE", file } },
    replace() {
      const next = { keyId: `answer-${owner}-2`, key: randomBytes(32) };
      put(file, formatKeyFile([next, ...answerKeys]));
      const { payload } = fromBinary(KeysetSchema, signed);
      const { epoch, notAfter, keys } = fromBinary(KeysetClaimsSchema, payload);
      const published = {
        keyId: next.keyId,
        use: KeyUse.ANSWER,
        holder: owner,
        publicKey: publicKeyOf(next.key),
      };
      const claims = {
        epoch: epoch + 1,
        keys: [published, ...keys],
        ...(notAfter ? { notAfter } : {}),
      };
      put(keyset, signTestKeyset(rootSeed, claims));
      return next.keyId;
    },
    [Symbol.dispose]: () => rmSync(dir, { recursive: true }),
  };
}
