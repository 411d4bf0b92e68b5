import { defineCommand } from "../definition/define.ts";
import { repeated, integer as integerOption, text as textOption } from "../definition/options.ts";
import { integer, listOf, object, text, time } from "../definition/shape.ts";
import { readPublishedKeys } from "../keyset/published.ts";
import { renewKeyset } from "../keyset/renew.ts";
import { relativeTime } from "../terminal/time.ts";

/** `sallyport keyset renew`: renews the keyset. */
export const keysetRenew = defineCommand({
  description:
    "Needs no root key. Every process loads the new file within seconds; give it to the gateway " +
    "first. Run it every day, by cron or a systemd timer: a keyset lives for days. The keys stay " +
    "as they are unless --keys names them.",
  args: {},
  options: {
    dir: textOption("the keyset folder", { required: true, value: "folder", complete: "files" }),
    days: integerOption("how long the keyset is valid", { min: 1, max: 30 }, { default: 7 }),
    keys: repeated(
      "what the programs that make keys printed; the first key of each use is preferred",
      {
        value: "file",
        complete: "files",
      },
    ),
    to: repeated("another file to write the keyset to", { value: "file", complete: "files" }),
  },
  examples: [
    ["sallyport keyset renew --dir keyset", "daily"],
    ["sallyport keyset renew --dir keyset --to /etc/gateway/keyset.bin", "and hand it out"],
    [
      "sallyport keyset renew --dir keyset --keys crypto.json --keys others.json",
      "with other keys",
    ],
  ],
  json: object({
    epoch: integer("the epoch of the new keyset"),
    notAfter: time("when it ends"),
    signerNotAfter: time("when its signer ends, which the root has to renew"),
    rootFingerprint: text("the fingerprint that clients pin"),
    files: listOf(text("a file that was written")),
  }),
  async run({ options: { dir, days, keys, to } }) {
    const given = keys.length === 0 ? undefined : await readPublishedKeys(keys);
    const renewed = await renewKeyset({ dir, days, nowMs: Date.now(), keys: given, copies: to });
    const { epoch, notAfterMs, signerNotAfterMs, rootFingerprint, files } = renewed;
    const [notAfter, signerNotAfter] = [notAfterMs, signerNotAfterMs].map((ms) =>
      new Date(ms).toISOString(),
    );
    return {
      epoch,
      notAfter: notAfter ?? "",
      signerNotAfter: signerNotAfter ?? "",
      rootFingerprint,
      files,
    };
  },
  show({ epoch, notAfter, files }, screen) {
    screen.mark("ok", `keyset ${epoch}, valid until ${relativeTime(notAfter)}`);
    for (const file of files) screen.line(`  ${file}`);
  },
});
