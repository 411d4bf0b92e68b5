import { ed25519, openReader, toSallyportError } from "@sallyport/client/core";
import { readSecrets } from "./snippet.ts";
import { type Vectors, verdictsOf } from "./verdicts.ts";

/** What a run in a runtime is given; it holds a test's secrets. */
export type Input = {
  readonly vectors: Readonly<Record<string, Vectors>>;
  readonly identity: Parameters<typeof readSecrets>[0];
  readonly secretIds: readonly string[];
};

/** Does everything that the core is for, and returns what came of it. */
export async function runCore({ vectors, identity, secretIds }: Input) {
  const verdicts: Record<string, string> = {};
  for (const [file, content] of Object.entries(vectors))
    Object.assign(verdicts, await verdictsOf(file, content));
  const seed = Uint8Array.from(atob(identity.seed), (character) => character.charCodeAt(0));
  const key = await ed25519.signingKey(seed);
  const reader = openReader(identity, key);
  const { epoch } = await reader.checkDeployment();
  const listed = (await reader.listReadable()).map(({ name }) => name).toSorted();
  const unsealed: Record<string, string> = {};
  for (const secret of await reader.read({ secretIds }, { sealed: false }))
    if (secret.kind === "value") unsealed[secret.name] = new TextDecoder().decode(secret.plaintext);
  reader.close();
  // A key of this runtime that nobody enrolled, and that cannot be exported.
  const pair = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
  const stranger = await ed25519.signingKey(pair as CryptoKeyPair);
  const otherRoot = { ...identity, rootFingerprint: "A".repeat(43) };
  return {
    verdicts,
    epoch,
    listed,
    sealed: await readSecrets(identity, secretIds),
    unsealed,
    refusals: {
      stranger: await reasonOf(openReader(identity, stranger).read({ secretIds })),
      otherRoot: await reasonOf(openReader(otherRoot, key).read({ secretIds })),
    },
  };
}

function reasonOf(action: Promise<unknown>): Promise<string> {
  return action.then(
    () => "none",
    (error: unknown) => toSallyportError(error).reason,
  );
}
