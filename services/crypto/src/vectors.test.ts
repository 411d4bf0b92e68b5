import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  createFileKek,
  EnvelopeError,
  openKeyring,
  textOf,
  WrongKekError,
} from "@sallyport/proto/keyring";
import { openEnvelope } from "./envelope.ts";
import { unwrapProjectKey } from "./project-key.ts";

type Vectors<Input, Output> = {
  readonly valid: readonly (Input & Output & { readonly name: string })[];
  readonly invalid: readonly (Input & { readonly name: string; readonly section: string })[];
};

type Owner = { readonly vault_id: string; readonly project_id: string };
type KekInput = { readonly kek: string };
type WrappedInput = KekInput & Owner & { readonly wrapped: string };
type WrappedOutput = {
  readonly generation: number;
  readonly project_key: string;
  readonly kek_fingerprint: string;
};
type EnvelopeInput = Owner & {
  readonly secret_id: string;
  readonly version: number;
  readonly generation: number;
  readonly project_key: string;
  readonly envelope: string;
};
type EnvelopeOutput = { readonly kind: number; readonly plaintext: string };
type KeyringInput = KekInput & { readonly keyring: string };
type KeyringOutput = {
  readonly entries: readonly {
    readonly use: string;
    readonly key_id: string;
    readonly key: string;
  }[];
};

function read<Input, Output>(name: string): Vectors<Input, Output> {
  const file = new URL(`../../../test/vectors/envelope/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")) as Vectors<Input, Output>;
}

/**
 * Which check refuses an invalid vector, by what it says; those that are not here are refused by a
 * tag.
 */
const said: Readonly<
  Record<"projectKey" | "envelope" | "keyring", Readonly<Record<string, string>>>
> = {
  projectKey: {
    "generation 0": "a project key has generation 0",
    "another KEK": "the project key needs the KEK",
    "a bit of the fingerprint": "the project key needs the KEK",
    "another magic": "not a wrapped project key",
    "one byte short": "a wrapped project key has 84 bytes",
    "one byte long": "a wrapped project key has 84 bytes",
    empty: "a wrapped project key has 84 bytes",
    "a key of 31 bytes, sealed as such": "a wrapped project key has 84 bytes",
    "a key of 33 bytes, sealed as such": "a wrapped project key has 84 bytes",
  },
  envelope: {
    "generation is not the key's": "the envelope is of another generation than the key",
    "generation 0": "an envelope has generation 0",
    "kind 0": "an envelope is of no known kind",
    "kind 3, sealed as such": "an envelope is of no known kind",
    "another magic": "not an envelope",
    "96 bytes": "an envelope has 97 to 65,633 bytes",
    empty: "an envelope has 97 to 65,633 bytes",
  },
  keyring: {
    "another KEK": "the keyring needs the KEK",
    "another magic": "not a keyring",
    "107 bytes": "the keyring is cut short",
    "no entries": "a keyring has no permit key",
    "no permit key": "a keyring has no permit key",
    "no reply key": "a keyring has no reply key",
    "unknown use": "a keyring entry has another form",
    "use 0": "a keyring entry has another form",
    "last key cut short": "a keyring entry has another form",
    "trailing byte": "a keyring entry has another form",
    "key id twice in one use": "a keyring has a key id twice",
    "empty key id": "a keyring entry has another key id",
    "key id of 65 characters": "a keyring entry has another key id",
    "key id with upper case": "a keyring entry has another key id",
    "key id with a byte above 127": "a keyring entry has another key id",
  },
};
const byTag = "a tag does not hold";

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));
const hex = (value: Uint8Array) => Buffer.from(value).toString("hex");
const refused = (error: unknown) =>
  error instanceof EnvelopeError || error instanceof WrongKekError;

describe("wrapped project keys (ENVELOPE §2)", () => {
  const vectors = read<WrappedInput, WrappedOutput>("project-key");
  const unwrap = (input: WrappedInput) =>
    unwrapProjectKey(
      createFileKek(bytes(input.kek)),
      { vaultId: input.vault_id, projectId: input.project_id },
      bytes(input.wrapped),
    );

  test.each(vectors.valid)("$name", async (vector) => {
    const { generation, key } = await unwrap(vector);
    expect([generation, hex(key)]).toEqual([vector.generation, vector.project_key]);
    expect(textOf(createFileKek(bytes(vector.kek)).describe().fingerprint)).toBe(
      vector.kek_fingerprint,
    );
  });
  test.each(vectors.invalid)("§$section refused: $name", async (vector) => {
    await expect(unwrap(vector)).rejects.toSatisfy(refused);
    await expect(unwrap(vector)).rejects.toThrow(said.projectKey[vector.name] ?? byTag);
  });
});

describe("envelopes (ENVELOPE §3)", () => {
  const vectors = read<EnvelopeInput, EnvelopeOutput>("envelope");
  const open = ({
    vault_id,
    project_id,
    secret_id,
    version,
    generation,
    project_key,
    envelope,
  }: EnvelopeInput) => {
    const place = { vaultId: vault_id, projectId: project_id, secretId: secret_id, version };
    return openEnvelope(bytes(envelope), place, { generation, key: bytes(project_key) });
  };

  test.each(vectors.valid)("$name", (vector) => {
    const { kind, plaintext } = open(vector);
    expect([kind, hex(plaintext)]).toEqual([vector.kind, vector.plaintext]);
  });
  test.each(vectors.invalid)("§$section refused: $name", (vector) => {
    expect(() => open(vector)).toThrow(EnvelopeError);
    expect(() => open(vector)).toThrow(said.envelope[vector.name] ?? byTag);
  });
});

describe("keyring files (ENVELOPE §4)", () => {
  const vectors = read<KeyringInput, KeyringOutput>("keyring");
  const open = ({ kek, keyring }: KeyringInput) =>
    openKeyring(createFileKek(bytes(kek)), bytes(keyring));

  test.each(vectors.valid)("$name", async (vector) => {
    const keyring = await open(vector);
    const entries = Object.entries(keyring).flatMap(([use, keys]) =>
      keys.map(({ keyId, key }) => ({ use, key_id: keyId, key: hex(key) })),
    );
    expect(entries).toEqual(vector.entries);
  });
  test.each(vectors.invalid)("§$section refused: $name", async (vector) => {
    await expect(open(vector)).rejects.toSatisfy(refused);
    await expect(open(vector)).rejects.toThrow(said.keyring[vector.name] ?? byTag);
  });
});
