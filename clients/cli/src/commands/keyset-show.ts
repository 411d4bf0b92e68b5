import { KeyUseSchema } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { rootFingerprint } from "@sallyport/proto/signing";
import { defineCommand } from "../command/define.ts";
import { required } from "../command/options.ts";
import { integer, listOf, nullable, object, text, time } from "../command/shape.ts";
import { KeysetFileError, readKeyset } from "../keyset/files.ts";
import { openAsOfThen } from "../keyset/open.ts";
import { relativeTime } from "../terminal/time.ts";

/** `sallyport keyset show FILE`: what a keyset says. */
export const keysetShow = defineCommand({
  description: "Compare the root with the one that you know: a file by itself proves nothing about it.",
  args: { file: required("the keyset file", { complete: "files" }) },
  options: {},
  examples: [["sallyport keyset show keyset/keyset.bin", "its keys, and when what ends"]],
  json: object({
    rootFingerprint: text("the fingerprint of the root that vouches for it"),
    epoch: integer("its epoch"),
    notAfter: time("when it ends"),
    signer: text("the key that signed it"),
    signerNotAfter: time("when that key ends"),
    maxEpoch: integer("the greatest epoch that that key may sign"),
    keys: listOf(
      object({
        keyId: text("the key's id"),
        use: text("what it is for: `CREDENTIAL`, `SEALING`, `REPLY`, …; the first of a use is preferred"),
        holder: nullable(text("who signs answers with it; null for other uses")),
        publicKey: text("the raw key in base64"),
      }),
      "the keys, in the order of the keyset",
    ),
  }),
  async run({ args: { file } }) {
    const keyset = await readKeyset(file);
    if (!keyset) throw new KeysetFileError(`there is no keyset at ${file}`);
    const { claims, signer, notAfterMs, signerNotAfterMs } = openAsOfThen(keyset);
    return {
      rootFingerprint: rootFingerprint(keyset.rootPublicKey),
      epoch: claims.epoch,
      notAfter: new Date(notAfterMs).toISOString(),
      signer: signer.keyId,
      signerNotAfter: new Date(signerNotAfterMs).toISOString(),
      maxEpoch: signer.maxEpoch,
      keys: claims.keys.map(({ keyId, use, holder, publicKey }) => ({
        keyId,
        use: enumName(KeyUseSchema, use),
        holder: holder === "" ? null : holder,
        publicKey: Buffer.from(publicKey).toString("base64"),
      })),
    };
  },
  show({ rootFingerprint: root, epoch, notAfter, signer, signerNotAfter, keys }, screen) {
    screen.facts([
      ["root", root],
      ["epoch", String(epoch)],
      ["ends", relativeTime(notAfter)],
      ["signer", `${signer}, ends ${relativeTime(signerNotAfter)}`],
    ]);
    screen.table(
      [
        { title: "USE", cell: ({ use }) => use },
        { title: "HOLDER", cell: ({ holder }) => holder ?? "" },
        { title: "KEY", cell: ({ keyId }) => keyId },
      ],
      keys,
      "no keys",
    );
  },
});
