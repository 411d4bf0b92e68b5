import { type Identity, openSallyport, saveIdentity } from "@sallyport/client";
import type { CallOptions } from "../app/session.ts";

/**
 * Keeps a new identity, then adds the vault's name to it, by which people choose between vaults. It
 * is kept first: what fails after that costs the name and nothing else.
 */
export async function keepIdentity(
  path: string,
  identity: Identity,
  options: CallOptions,
): Promise<Identity> {
  await saveIdentity(path, identity);
  const client = openSallyport(identity, "connect", options);
  try {
    const { vaultName } = await client.services.users.whoAmI({});
    const named = { ...identity, vaultName };
    await saveIdentity(path, named);
    return named;
  } catch {
    return identity; // It is kept and works; only people miss the name.
  } finally {
    client.close();
  }
}
