import { defineCommand } from "../definition/define.ts";
import { required } from "../definition/options.ts";
import { nullable, object, text } from "../definition/shape.ts";
import { findVault } from "../vaults/choose.ts";
import { localVaults, writeCurrentVault } from "../vaults/folder.ts";

/** `sallyport vault use VAULT`: chooses the vault that commands use. */
export const vaultUse = defineCommand({
  description: "One command alone can use another with --vault, one shell with SALLYPORT_VAULT.",
  args: { vault: required("its id or name", { complete: "vaults" }) },
  options: {},
  examples: [["sallyport vault use staging", "by name"]],
  json: object({
    vaultId: text("the vault's id"),
    name: nullable(text("its name; null when it was not asked for")),
  }),
  async run({ args, context: { env } }) {
    const { vaultId, name = null } = findVault(await localVaults(env), args.vault);
    await writeCurrentVault(env, vaultId);
    return { vaultId, name };
  },
  show: ({ vaultId, name }, screen) =>
    screen.mark("ok", `commands use ${name ?? vaultId}`, name === null ? "" : vaultId),
});
