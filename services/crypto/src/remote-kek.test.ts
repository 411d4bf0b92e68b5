import {
  EnvelopeError,
  type KekProvider,
  type Keyring,
  WrongKekError,
  createFileKek,
  kekOfKeyring,
  newKey,
  openKeyring,
  sealKeyring,
} from "@sallyport/proto/keyring";
import { expect, test } from "vitest";
import { unwrapProjectKey, wrapProjectKey } from "./project-key.ts";

const owner = { vaultId: "vlt_aaaaaaaaaaaaaaaaaaaa", projectId: "prj_bbbbbbbbbbbbbbbbbbbb" };

/** A KEK that is asked over a network: names itself late, and pads what it wraps to its length. */
function remoteKek(provider: string, key: string, bytes: number): KekProvider {
  const inner = createFileKek(newKey());
  return {
    describe: async () => ({ provider, key }),
    wrap: async (secret, aad) => Buffer.concat([await inner.wrap(secret, aad)], bytes),
    unwrap: (wrapped, aad) => inner.unwrap(wrapped.subarray(0, 60), aad),
  };
}

const providers = [
  ["awskms", "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", 184],
  ["gcpkms", `projects/p/locations/europe-west3/keyRings/${"r".repeat(63)}/cryptoKeys/k`, 113],
  ["azurekms", "https://vault.vault.azure.net/keys/kek/78deebed173b48e48f55abf87ed4cf71", 512],
  ["transit", "https://vault.example:8200/transit/kek@3", 137],
  ["pkcs11", "token=sallyport;object=kek", 1_024],
  ["a".repeat(32), "k".repeat(255), 61],
] as const;

test.each(providers)(
  "a project key wrapped by %s opens, and names it",
  async (provider, key, bytes) => {
    const kek = remoteKek(provider, key, bytes);
    const projectKey = { generation: 3, key: newKey() };
    const wrapped = await wrapProjectKey(kek, owner, projectKey);
    expect(Buffer.from(wrapped).toString("latin1")).toContain(key);
    const opened = await unwrapProjectKey(kek, owner, wrapped);
    expect([opened.generation, Buffer.from(opened.key)]).toEqual([3, Buffer.from(projectKey.key)]);
    await expect(unwrapProjectKey(createFileKek(newKey()), owner, wrapped)).rejects.toThrow(
      `the project key needs the KEK ${provider}:${key}, but the KEK given is file:`,
    );
  },
);

test.each(providers)(
  "a keyring wrapped by %s opens, and names it",
  async (provider, key, bytes) => {
    const kek = remoteKek(provider, key, bytes);
    const entry = (keyId: string) => [{ keyId, key: newKey() }];
    const keyring: Keyring = {
      permit: entry("permit-1"),
      slip: entry("slip-1"),
      sealing: entry("sealing-1"),
      reply: entry("reply-1"),
    };
    const sealed = await sealKeyring(kek, keyring);
    expect(kekOfKeyring(sealed)).toEqual({ provider, key });
    expect((await openKeyring(kek, sealed)).reply[0]?.keyId).toBe("reply-1");
  },
);

test.each([0, 1_025])("a KEK that wraps a key into %d bytes is refused", async (bytes) => {
  const kek = { ...createFileKek(newKey()), wrap: async () => new Uint8Array(bytes) };
  await expect(wrapProjectKey(kek, owner, { generation: 1, key: newKey() })).rejects.toThrow(
    "a KEK wrapped a key into more than 1,024 bytes or none",
  );
});

test.each([
  ["AWS", "k"],
  ["", "k"],
  ["a".repeat(33), "k"],
  ["awskms", ""],
  ["awskms", "a key"],
  ["awskms", "k".repeat(256)],
])("a KEK that is named %j %j wraps nothing", async (provider, key) => {
  const wrapped = wrapProjectKey(remoteKek(provider, key, 60), owner, {
    generation: 1,
    key: newKey(),
  });
  await expect(wrapped).rejects.toThrow("a KEK has a name that cannot be stored");
});

test("no wrapped project key opens after any single bit changed", async () => {
  const kek = createFileKek(newKey());
  const wrapped = await wrapProjectKey(kek, owner, { generation: 1, key: newKey() });
  for (let bit = 0; bit < wrapped.length * 8; bit += 1) {
    const changed = Uint8Array.from(wrapped);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    await expect(unwrapProjectKey(kek, owner, changed), `bit ${bit}`).rejects.toSatisfy(
      (error: unknown) => error instanceof EnvelopeError || error instanceof WrongKekError,
    );
  }
});
