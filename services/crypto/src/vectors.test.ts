import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { EnvelopeError } from "./aead.ts";
import { openEnvelope } from "./envelope.ts";
import { WrongKekError, createFileKek, textOf } from "./kek.ts";
import { openKeyring } from "./keyring.ts";
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
  readonly entries: readonly { readonly use: string; readonly key_id: string; readonly key: string }[];
};

function read<Input, Output>(name: string): Vectors<Input, Output> {
  const file = new URL(`../../../test/vectors/envelope/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")) as Vectors<Input, Output>;
}

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));
const hex = (value: Uint8Array) => Buffer.from(value).toString("hex");
const refused = (error: unknown) => error instanceof EnvelopeError || error instanceof WrongKekError;

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
    expect(textOf(createFileKek(bytes(vector.kek)).describe().fingerprint)).toBe(vector.kek_fingerprint);
  });
  test.each(vectors.invalid)("§$section refused: $name", async (vector) => {
    await expect(unwrap(vector)).rejects.toSatisfy(refused);
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
  });
});

describe("keyring files (ENVELOPE §4)", () => {
  const vectors = read<KeyringInput, KeyringOutput>("keyring");
  const open = ({ kek, keyring }: KeyringInput) => openKeyring(createFileKek(bytes(kek)), bytes(keyring));

  test.each(vectors.valid)("$name", async (vector) => {
    const keyring = await open(vector);
    const entries = Object.entries(keyring).flatMap(([use, keys]) =>
      keys.map(({ keyId, key }) => ({ use, key_id: keyId, key: hex(key) })),
    );
    expect(entries).toEqual(vector.entries);
  });
  test.each(vectors.invalid)("§$section refused: $name", async (vector) => {
    await expect(open(vector)).rejects.toSatisfy(refused);
  });
});
