import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  createFileKek,
  EnvelopeError,
  type KekName,
  type KekProvider,
  kekText,
  openKeyring,
  WrongKekError,
} from "@sallyport/proto/keyring";
import { openEnvelope } from "./envelope.ts";
import { unwrapProjectKey } from "./project-key.ts";

type Vectors<Input, Output> = {
  readonly valid: readonly (Input & Output & { readonly name: string })[];
  readonly invalid: readonly (Input & { readonly name: string; readonly section: string })[];
};

type Owner = { readonly vault_id: string; readonly project_id: string };
type KekInput = {
  readonly kek: string;
  /** The name that the KEK goes by, where it is not a file's. */
  readonly kek_name?: KekName;
};
type WrappedInput = KekInput & Owner & { readonly wrapped: string };
type WrappedOutput = {
  readonly generation: number;
  readonly project_key: string;
  readonly kek_fingerprint?: string;
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
  Record<
    "projectKey" | "projectKeyV2" | "envelope" | "keyring" | "keyringV2",
    Readonly<Record<string, string>>
  >
> = {
  projectKey: {
    "generation 0": "a project key has generation 0",
    "another KEK": "the project key needs the KEK",
    "a bit of the fingerprint": "the project key needs the KEK",
    // It was a magic of no form when the vector was made.
    "another magic": "the name of a KEK is cut short",
    "one byte short": "a wrapped project key of the first form has 84 bytes",
    "one byte long": "a wrapped project key of the first form has 84 bytes",
    empty: "not a wrapped project key",
    "a key of 31 bytes, sealed as such": "a wrapped project key of the first form has 84 bytes",
    "a key of 33 bytes, sealed as such": "a wrapped project key of the first form has 84 bytes",
  },
  projectKeyV2: {
    "generation 0": "a project key has generation 0",
    "another KEK": "the project key needs the KEK file:",
    "another provider": "the project key needs the KEK awskms:arn:",
    "another key of the same provider": "but the KEK given is awskms:arn:",
    "another magic": "not a wrapped project key",
    "one byte short": "a wrapped key is cut short or has another length",
    "one byte long": "a wrapped project key has bytes behind it",
    "only the magic": "the name of a KEK is cut short",
    "cut off in the name": "the name of a KEK is cut short",
    "cut off before the generation": "a wrapped key is cut short or has another length",
    "cut off before the wrapped key": "a wrapped key is cut short or has another length",
    "no wrapped key": "a wrapped key is cut short or has another length",
    "a wrapped key of 1,025 bytes": "a wrapped key is cut short or has another length",
    "an empty provider": "the name of a KEK is cut short",
    "a provider of 33 characters": "the name of a KEK has another form",
    "a provider with upper case": "the name of a KEK has another form",
    "a provider that begins with a digit": "the name of a KEK has another form",
    "an empty key name": "the name of a KEK is cut short",
    "a key name with a space": "the name of a KEK has another form",
    "a key name with a control character": "the name of a KEK has another form",
    "a key name with a byte above 126": "the name of a KEK has another form",
    "a key of 31 bytes, sealed as such": "a wrapped key has another length than 32 bytes",
    "a key of 33 bytes, sealed as such": "a wrapped key has another length than 32 bytes",
  },
  keyringV2: {
    "another KEK": "the keyring needs the KEK file:",
    "another provider": "the keyring needs the KEK awskms:arn:",
    "another magic": "not a keyring",
    "cut off in the name": "the name of a KEK is cut short",
    "cut off in the wrapped key": "a wrapped key is cut short or has another length",
    "entries of 27 bytes": "the keyring is cut short",
    "a keyring key of 31 bytes, sealed as such": "a wrapped key has another length than 32 bytes",
    "no reply key": "a keyring has no reply key",
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
    "another magic": "the name of a KEK has another form",
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
const kekOf = ({ kek, kek_name }: KekInput): KekProvider => {
  const file = createFileKek(bytes(kek));
  return kek_name ? { ...file, describe: () => kek_name } : file;
};
const refused = (error: unknown) =>
  error instanceof EnvelopeError || error instanceof WrongKekError;

describe.each([
  { form: "first form", file: "project-key", sentences: said.projectKey },
  { form: "second form", file: "project-key-v2", sentences: said.projectKeyV2 },
])("wrapped project keys of the $form (ENVELOPE §2)", ({ file, sentences }) => {
  const vectors = read<WrappedInput, WrappedOutput>(file);
  const unwrap = (input: WrappedInput) =>
    unwrapProjectKey(
      kekOf(input),
      { vaultId: input.vault_id, projectId: input.project_id },
      bytes(input.wrapped),
    );

  test.each(vectors.valid)("$name", async (vector) => {
    const { generation, key } = await unwrap(vector);
    expect([generation, hex(key)]).toEqual([vector.generation, vector.project_key]);
    if (vector.kek_fingerprint !== undefined)
      expect(kekText(await kekOf(vector).describe())).toBe(`file:${vector.kek_fingerprint}`);
  });
  test.each(vectors.invalid)("§$section refused: $name", async (vector) => {
    await expect(unwrap(vector)).rejects.toSatisfy(refused);
    await expect(unwrap(vector)).rejects.toThrow(sentences[vector.name] ?? byTag);
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
    const binding = { vaultId: vault_id, projectId: project_id, secretId: secret_id, version };
    return openEnvelope(bytes(envelope), binding, { generation, key: bytes(project_key) });
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

describe.each([
  { form: "first form", file: "keyring", sentences: said.keyring },
  { form: "second form", file: "keyring-v2", sentences: said.keyringV2 },
])("keyring files of the $form (ENVELOPE §4)", ({ file, sentences }) => {
  const vectors = read<KeyringInput, KeyringOutput>(file);
  const open = (input: KeyringInput) => openKeyring(kekOf(input), bytes(input.keyring));

  test.each(vectors.valid)("$name", async (vector) => {
    const keyring = await open(vector);
    const entries = Object.entries(keyring).flatMap(([use, keys]) =>
      keys.map(({ keyId, key }) => ({ use, key_id: keyId, key: hex(key) })),
    );
    expect(entries).toEqual(vector.entries);
  });
  test.each(vectors.invalid)("§$section refused: $name", async (vector) => {
    await expect(open(vector)).rejects.toSatisfy(refused);
    await expect(open(vector)).rejects.toThrow(sentences[vector.name] ?? byTag);
  });
});
