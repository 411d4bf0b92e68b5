import { defineCommand } from "../definition/define.ts";
import { integer as integerOption, text as textOption } from "../definition/options.ts";
import { integer, object, text, time } from "../definition/shape.ts";
import { signSigner } from "../keyset/sign.ts";
import { relativeTime } from "../terminal/time.ts";

/** `sallyport keyset sign`: has the root vouch for a new key that signs keysets. */
export const keysetSign = defineCommand({
  description:
    "Needs the root key of the deployment, and is the only command that does: bring it, run " +
    "this, take it away again. The new signer replaces the one before, whose keysets clients " +
    'refuse once they have seen a newer one. Run "sallyport keyset renew" afterwards.',
  args: {},
  options: {
    rootKey: textOption("the file with the root key", {
      required: true,
      value: "file",
      complete: "files",
    }),
    dir: textOption("the keyset folder", { required: true, value: "folder", complete: "files" }),
    days: integerOption("how long the signer may sign", { min: 1, max: 1825 }, { default: 365 }),
  },
  examples: [
    ["sallyport keyset sign --root-key /media/root.key --dir keyset", "once a year"],
    ["sallyport keyset sign --root-key /media/root.key --dir keyset --days 90", "more often"],
  ],
  json: object({
    keyId: text("the new signer"),
    notAfter: time("when it ends, and every keyset that it signs"),
    minEpoch: integer("the smallest epoch that it may sign; above all of the signer before"),
    maxEpoch: integer("the greatest epoch that it may sign"),
  }),
  async run({ options: { rootKey, dir, days } }) {
    const signed = await signSigner({ dir, rootKeyFile: rootKey, days, nowMs: Date.now() });
    const { keyId, notAfterMs, minEpoch, maxEpoch } = signed;
    return { keyId, notAfter: new Date(notAfterMs).toISOString(), minEpoch, maxEpoch };
  },
  show({ keyId, notAfter }, screen, { options: { dir } }) {
    screen.mark("ok", `${keyId} signs keysets from now on, and ends ${relativeTime(notAfter)}`);
    screen.line(`  → put the root key away, then run: sallyport keyset renew --dir ${dir}`);
  },
});
