import { erasePrivateFile } from "@sallyport/client/private-file";
import { defineCommand } from "../command/define.ts";
import { choice, flag } from "../command/options.ts";
import { listOf, object, text } from "../command/shape.ts";
import { chooseVault, identityPathOf } from "../vaults/choose.ts";
import { forgetCurrentVault, identityFile, localVaults, readCurrentVault } from "../vaults/folder.ts";
import type { Context } from "../context.ts";

const kinds = ["user", "machine"] as const;
type Kind = (typeof kinds)[number];

/** `sallyport logout`: removes identities from this computer. */
export const logout = defineCommand({
  description:
    "Overwrites the keys of the current vault (or of --vault) and removes their files. The server is not told: a key that may be in other hands is revoked there.",
  args: {},
  options: {
    as: choice("only this identity; both if not given", kinds),
    all: flag("of every vault"),
  },
  examples: [
    ["sallyport logout", "leave the current vault"],
    ["sallyport logout --as machine", "the machine's identity alone"],
  ],
  json: object({ removed: listOf(text("a file that was removed")) }),
  async run({ options: { as, all }, context }) {
    const removed: string[] = [];
    for (const path of await pathsOf(context, as === undefined ? kinds : [as], all)) {
      for (const file of [path, `${path}.pending`]) if (await erasePrivateFile(file)) removed.push(file);
    }
    await forgetIfGone(context);
    return { removed };
  },
  show({ removed }, screen) {
    if (removed.length === 0) screen.line("There was nothing to remove.");
    for (const path of removed) screen.mark("ok", `removed ${path}`);
  },
});

async function pathsOf(context: Context, wanted: readonly Kind[], all: boolean): Promise<string[]> {
  const { env, choice } = context;
  const chosen = identityPathOf(choice);
  if (chosen !== undefined) return [chosen];
  const vaults = all ? await localVaults(env) : [await chooseVault(choice, wanted)];
  return vaults.flatMap(({ vaultId }) => wanted.map((kind) => identityFile(env, vaultId, kind)));
}

async function forgetIfGone({ env }: Context): Promise<void> {
  const [current, vaults] = await Promise.all([readCurrentVault(env), localVaults(env)]);
  if (current !== undefined && !vaults.some(({ vaultId }) => vaultId === current))
    await forgetCurrentVault(env);
}
