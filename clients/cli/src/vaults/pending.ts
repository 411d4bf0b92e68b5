import { createHash } from "node:crypto";
import { newSeed } from "@sallyport/client";
import { SallyportError } from "@sallyport/client/error";
import {
  erasePrivateFile,
  readPrivateFile,
  writePrivateFile,
} from "@sallyport/client/private-file";

/**
 * What an enrollment is told apart by from others in one home: the token and the name that is asked
 * for. Two jobs that ask for two names must not take up one key: the server would know it, and give
 * both the one machine.
 */
export function pendingOf(tokenId: string, name: string | undefined): string {
  if (name === undefined) return tokenId;
  return `${tokenId}_${createHash("sha256").update(name).digest("hex").slice(0, 32)}`;
}

/**
 * Makes an identity with a key that outlives a lost reply: the key is in a file before anything is
 * asked, the next try for the same (a token's id, or pendingOf) takes it up, and the server then
 * knows the key and spends no second use. The file goes once the identity is kept, or once the
 * server has refused.
 */
export async function withPendingKey<T>(
  identityPath: string,
  tokenId: string,
  make: (seed: Uint8Array) => Promise<T>,
): Promise<T> {
  const path = `${identityPath}.pending`;
  const seed = (await pendingSeed(path, tokenId)) ?? newSeed();
  const content = { tokenId, seed: Buffer.from(seed).toString("base64") };
  await writePrivateFile(path, `${JSON.stringify(content)}\n`);
  try {
    const made = await make(seed);
    await erasePrivateFile(path);
    return made;
  } catch (error) {
    if (!mayHaveHappened(error)) await erasePrivateFile(path);
    throw error;
  }
}

async function pendingSeed(path: string, tokenId: string): Promise<Uint8Array | undefined> {
  const text = await readPrivateFile(path);
  const kept = /^\{"tokenId":"(?<id>\w+)","seed":"(?<seed>[A-Za-z0-9+/]{43}=)"\}$/.exec(
    text?.trim() ?? "",
  )?.groups;
  return kept?.["id"] === tokenId && kept["seed"] !== undefined
    ? new Uint8Array(Buffer.from(kept["seed"], "base64"))
    : undefined;
}

// The server may have done it and its answer been lost; everything else is an answer, or happened
// before it was asked.
const unclear = new Set(["UNREACHABLE", "DEPENDENCY_UNAVAILABLE", "INTERNAL", "RATE_LIMITED"]);

function mayHaveHappened(error: unknown): boolean {
  return !(error instanceof SallyportError) || unclear.has(error.reason);
}
