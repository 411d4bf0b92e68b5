import { createHash } from "node:crypto";
import { newSeed, toSallyportError } from "@sallyport/client";
import { SallyportError } from "@sallyport/client/error";
import {
  checkReplaceable,
  erasePrivateFile,
  readPrivateFile,
  writePrivateFile,
} from "@sallyport/client/private-file";

/**
 * The mark of one enrollment among others in one home: the token and the name that is asked
 * for. Two jobs that ask for two names must not use one key: the server would know it, and give
 * both the one machine.
 */
export function pendingOf(tokenId: string, name: string | undefined): string {
  if (name === undefined) return tokenId;
  return `${tokenId}_${createHash("sha256").update(name).digest("hex").slice(0, 32)}`;
}

/** The two halves of getting an identity: the server's, which spends a use, and this computer's. */
export type Steps<Made, Kept> = {
  /** Asks the server to accept the key of this seed (32 bytes). */
  readonly ask: (seed: Uint8Array) => Promise<Made>;
  /** Writes the identity file. */
  readonly keep: (made: Made) => Promise<Kept>;
};

/**
 * Gets an identity with a key that survives a lost reply and a file that cannot be written. The key
 * is in a file before the server is asked; the next attempt for the same token or code (its id, or
 * pendingOf) uses it again, and the server, which knows the key, spends no second use. The file is
 * erased once the identity is kept, or once the server has refused. Throws IDENTITY_INVALID before
 * anything is asked when no identity could be written at the path.
 */
export async function withPendingKey<Made, Kept>(
  identityPath: string,
  tokenId: string,
  { ask, keep }: Steps<Made, Kept>,
): Promise<Kept> {
  const path = `${identityPath}.pending`;
  await checkReplaceable(identityPath);
  const seed = (await pendingSeed(path, tokenId)) ?? newSeed();
  const content = { tokenId, seed: Buffer.from(seed).toString("base64") };
  await writePrivateFile(path, `${JSON.stringify(content)}\n`);
  const made = await asked(path, ask(seed));
  const kept = await keep(made).catch((error: unknown) => throwUnkept(path, error));
  await erasePrivateFile(path);
  return kept;
}

async function asked<Made>(path: string, asking: Promise<Made>): Promise<Made> {
  try {
    return await asking;
  } catch (error) {
    if (!mayHaveHappened(error)) await erasePrivateFile(path);
    throw error;
  }
}

// The server has accepted the key: without it the use would be spent for nothing.
function throwUnkept(path: string, cause: unknown): never {
  const { message } = toSallyportError(cause);
  throw new SallyportError(
    "IDENTITY_INVALID",
    `${message}; the server has accepted the key, which is kept in ${path}: make the identity's ` +
      "file writable and run the same command again, which spends no second use",
    { cause },
  );
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
