import { timestampDate } from "@bufbuild/protobuf/wkt";
import { defineCommand } from "../command/define.ts";
import { optional } from "../command/options.ts";
import { nullable, object, text, time } from "../command/shape.ts";
import { relativeTime } from "../terminal/time.ts";

/** `sallyport vault show`: a vault as its server describes it. */
export const vaultShow = defineCommand({
  description:
    "Needs a user's identity. --vault, or a name after it, shows another vault than the current one.",
  args: { vault: optional("its id or name; the current one if not given", { complete: "vaults" }) },
  options: {},
  examples: [["sallyport vault show", "the current vault"]],
  json: object({
    vaultId: text("the vault's id"),
    name: text("its name"),
    createdAt: nullable(time("when it was made")),
    url: text("where its gateway answers"),
    rootFingerprint: text("the fingerprint of the deployment's root that this computer has pinned"),
  }),
  async run({ args, context }) {
    const session = args.vault === undefined ? context.session : context.sessionIn(args.vault);
    return session.asUser(async (client, { url, rootFingerprint }) => {
      const { vault } = await client.services.vaults.getVault({});
      const createdAt = vault?.createdAt ? timestampDate(vault.createdAt).toISOString() : null;
      return { vaultId: vault?.vaultId ?? "", name: vault?.name ?? "", createdAt, url, rootFingerprint };
    });
  },
  show({ vaultId, name, createdAt, url, rootFingerprint }, screen) {
    screen.facts([
      ["name", name],
      ["id", vaultId],
      ["made", relativeTime(createdAt)],
      ["gateway", url],
      ["root", rootFingerprint],
    ]);
  },
});
