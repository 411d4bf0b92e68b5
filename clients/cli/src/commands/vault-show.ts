import { SallyportError } from "@sallyport/client/error";
import { defineCommand } from "../definition/define.ts";
import { optional } from "../definition/options.ts";
import { integer, nullable, object, text, time } from "../definition/shape.ts";
import { relativeTime } from "../terminal/time.ts";
import { momentOf } from "../views/moment.ts";

/** `sallyport vault show`: a vault as its server describes it. */
export const vaultShow = defineCommand({
  description:
    "Needs the identity of a user. --vault, or a name as argument, shows another vault than " +
    "the current one.",
  args: { vault: optional("its id or name; the current one if not given", { complete: "vaults" }) },
  options: {},
  examples: [["sallyport vault show", "the current vault"]],
  json: object({
    vaultId: text("the vault's id"),
    name: text("its name"),
    createdAt: nullable(time("when it was made")),
    machines: integer("how many machines it has that are neither revoked nor expired"),
    machineCap: integer("how many such machines it may have"),
    url: text("where its gateway answers"),
    rootFingerprint: text("the fingerprint of the deployment's root that this computer has pinned"),
  }),
  async run({ args, context }) {
    const session = args.vault === undefined ? context.session : context.sessionIn(args.vault);
    return session.asUser(async (client, { url, rootFingerprint }) => {
      const { vault } = await client.services.vaults.getVault({});
      if (!vault) throw new SallyportError("INTERNAL", "the server described no vault");
      const { vaultId, name, machines, machineCap } = vault;
      const createdAt = momentOf(vault.createdAt);
      return { vaultId, name, createdAt, machines, machineCap, url, rootFingerprint };
    });
  },
  show({ vaultId, name, createdAt, machines, machineCap, url, rootFingerprint }, screen) {
    screen.facts([
      ["name", name],
      ["id", vaultId],
      ["made", relativeTime(createdAt)],
      ["machines", `${machines} of ${machineCap}`],
      ["gateway", url],
      ["root", rootFingerprint],
    ]);
  },
});
