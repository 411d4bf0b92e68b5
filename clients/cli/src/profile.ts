import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { type Endpoint, type Identity, type Sallyport, loadIdentity, openSallyport } from "@sallyport/client";
import { UsageError } from "./failure.ts";

/** Where identities live: $XDG_CONFIG_HOME/sallyport, or ~/.config/sallyport. */
export function configFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(env["XDG_CONFIG_HOME"] || join(homedir(), ".config"), "sallyport");
}

/** The identity file of a kind, unless SALLYPORT_IDENTITY names another. */
export function identityPath(kind: Identity["kind"], env: NodeJS.ProcessEnv = process.env): string {
  return env["SALLYPORT_IDENTITY"] || join(configFolder(env), `${kind}.json`);
}

/** The gateway as SALLYPORT_URL and SALLYPORT_CA name it; UsageError when the URL is missing. */
export async function endpointOf(env: NodeJS.ProcessEnv = process.env): Promise<Endpoint> {
  const url = env["SALLYPORT_URL"];
  if (!url)
    throw new UsageError(
      "SALLYPORT_URL is not set: set it to the gateway's address, such as https://localhost:8443",
    );
  const caFile = env["SALLYPORT_CA"];
  if (!caFile) return { url: url.replace(/\/+$/, "") };
  const ca = await readFile(caFile, "utf8").catch(() => {
    throw new UsageError(`SALLYPORT_CA names ${caFile}, which cannot be read`);
  });
  return { url: url.replace(/\/+$/, ""), ca };
}

/** Runs an action as the machine or user of this computer and closes the connection after it. */
export async function actAs<T>(
  kind: Identity["kind"],
  action: (client: Sallyport, identity: Identity) => Promise<T>,
): Promise<T> {
  const identity = await loadIdentity(identityPath(kind));
  const client = openSallyport(identity);
  try {
    return await action(client, identity);
  } finally {
    client.close();
  }
}
