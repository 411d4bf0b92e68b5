import { timestampDate, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  KeyUseSchema,
  type PublicKey,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { rootFingerprint } from "@sallyport/proto/signing";
import { defineCommand } from "../definition/define.ts";
import { required, text } from "../definition/options.ts";
import { integer, listOf, nullable, object, text as word, time } from "../definition/shape.ts";
import { KeysetFileError, readKeyset } from "../keyset/files.ts";
import { openAsOfThen } from "../keyset/open.ts";
import { allKeySlots } from "../keyset/rotation/key-slot.ts";
import { standingOf } from "../keyset/rotation/rotate.ts";
import {
  type RotationView,
  nextWords,
  rotationShape,
  rotationView,
} from "../keyset/rotation/view.ts";
import { relativeTime } from "../terminal/time.ts";

/** `sallyport keyset show FILE`: what a keyset says. */
export const keysetShow = defineCommand({
  description: "Compare the root with the one that you know: a file alone proves nothing about it.",
  args: { file: required("the keyset file", { complete: "files" }) },
  options: {
    deployment: text("the folder of a deployment: also says how far the rotation of each key is", {
      value: "folder",
      complete: "files",
    }),
  },
  examples: [["sallyport keyset show keyset/keyset.bin", "its keys, and when what ends"]],
  json: object({
    rootFingerprint: word("the fingerprint of the root that vouches for it"),
    epoch: integer("its epoch"),
    notAfter: time("when it ends"),
    signer: word("the key that signed it"),
    signerNotAfter: time("when that key ends"),
    maxEpoch: integer("the greatest epoch that that key may sign"),
    keys: listOf(
      object({
        keyId: word("the key's id"),
        use: word(
          "what it is for: `CREDENTIAL`, `SEALING`, `REPLY`, …; the first of a use is preferred",
        ),
        holder: nullable(word("who signs answers with it; null for other uses")),
        publicKey: word("the raw key in base64"),
        state: word("`preferred`, `accepted` before it is preferred, or `former` after it was"),
        since: nullable(time("since when; null for a key of the first keyset")),
      }),
      "the keys, in the order of the keyset",
    ),
    rotations: nullable(
      listOf(
        rotationShape,
        "with --deployment how far each rotation is and what comes next, else null",
      ),
    ),
  }),
  async run({ args: { file }, options: { deployment } }) {
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
      keys: claims.keys.map((key) => keyView(key, claims.keys)),
      rotations: deployment === undefined ? null : await rotationsOf(deployment),
    };
  },
  show(
    { rootFingerprint: root, epoch, notAfter, signer, signerNotAfter, keys, rotations },
    screen,
  ) {
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
        { title: "STATE", cell: ({ state }) => state },
        { title: "SINCE", cell: ({ since }) => (since === null ? "" : relativeTime(since)) },
      ],
      keys,
      "no keys",
    );
    for (const rotation of rotations ?? []) {
      const { use, holder } = rotation;
      screen.line(`${holder === null ? use : `${holder} answer`} key: next ${nextWords(rotation)}`);
    }
  },
});

function keyView(key: PublicKey, keys: readonly PublicKey[]) {
  const { keyId, use, holder, publicKey, since } = key;
  return {
    keyId,
    use: enumName(KeyUseSchema, use),
    holder: holder === "" ? null : holder,
    publicKey: Buffer.from(publicKey).toString("base64"),
    state: stateOf(key, keys),
    since: since ? timestampDate(since).toISOString() : null,
  };
}

// A key that was published after the preferred one became preferred comes next; a former key was
// published before.
function stateOf(key: PublicKey, keys: readonly PublicKey[]): string {
  const preferred = keys.find(({ use, holder }) => use === key.use && holder === key.holder);
  if (preferred === undefined || preferred === key) return "preferred";
  return msOf(key) > msOf(preferred) ? "accepted" : "former";
}

function msOf({ since }: PublicKey): number {
  return since ? timestampMs(since) : 0;
}

async function rotationsOf(deployment: string): Promise<RotationView[]> {
  const standings = allKeySlots.map((slot) => standingOf(deployment, slot, Date.now()));
  return (await Promise.all(standings)).map(rotationView);
}
