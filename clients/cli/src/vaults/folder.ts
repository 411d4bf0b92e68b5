import { readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { type Identity, loadIdentity } from "@sallyport/client/identity";
import {
  checkPrivateFolder,
  erasePrivateFile,
  readPrivateFile,
  writePrivateFile,
} from "@sallyport/client/private-file";
import { isId } from "@sallyport/proto/ids";

/** A vault that this computer has an identity of. */
export type LocalVault = {
  readonly vaultId: string;
  /** Its name when the newest identity was made; undefined when it was not asked for. */
  readonly name: string | undefined;
  readonly identities: Readonly<Partial<Record<Identity["kind"], Identity>>>;
};

const kinds = ["user", "machine"] as const;

/** The folder of identities: $XDG_CONFIG_HOME/sallyport, or ~/.config/sallyport. */
export function configFolder(env: NodeJS.ProcessEnv): string {
  return join(env["XDG_CONFIG_HOME"] || join(env["HOME"] || homedir(), ".config"), "sallyport");
}

/** The identity file of a kind in a vault: <vault id>/user.json or machine.json. */
export function identityFile(
  env: NodeJS.ProcessEnv,
  vaultId: string,
  kind: Identity["kind"],
): string {
  return join(configFolder(env), vaultId, `${kind}.json`);
}

function currentFile(env: NodeJS.ProcessEnv): string {
  return join(configFolder(env), "current");
}

/** The vault that commands use by default; undefined when none was chosen. */
export async function readCurrentVault(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  await checkPrivateFolder(configFolder(env));
  const vaultId = (await readPrivateFile(currentFile(env)))?.trim();
  return vaultId !== undefined && isId("vlt", vaultId) ? vaultId : undefined;
}

/** Makes a vault the one that commands use. */
export async function writeCurrentVault(env: NodeJS.ProcessEnv, vaultId: string): Promise<void> {
  await writePrivateFile(currentFile(env), `${vaultId}\n`);
}

/** Forgets which vault was chosen. */
export async function forgetCurrentVault(env: NodeJS.ProcessEnv): Promise<void> {
  await erasePrivateFile(currentFile(env));
}

/**
 * The vaults that this computer has identities of, by id. Throws IDENTITY_INVALID for a folder or
 * file that others may open: another user could have put their own identity there.
 */
export async function localVaults(env: NodeJS.ProcessEnv): Promise<LocalVault[]> {
  const folder = configFolder(env);
  await checkPrivateFolder(folder);
  const names = await readdir(folder).catch(() => []);
  const vaultIds = names.filter((name) => isId("vlt", name)).toSorted();
  const vaults = await Promise.all(vaultIds.map((vaultId) => localVault(env, vaultId)));
  return vaults.filter(({ identities }) => identities.user ?? identities.machine);
}

async function localVault(env: NodeJS.ProcessEnv, vaultId: string): Promise<LocalVault> {
  await checkPrivateFolder(join(configFolder(env), vaultId));
  const entries = await Promise.all(
    kinds.map(async (kind) => {
      const path = identityFile(env, vaultId, kind);
      return (await readPrivateFile(path)) === undefined
        ? []
        : [[kind, await loadIdentity(path)] as const];
    }),
  );
  const identities: LocalVault["identities"] = Object.fromEntries(entries.flat());
  return { vaultId, name: identities.user?.vaultName ?? identities.machine?.vaultName, identities };
}
