import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { describe, expect, test } from "vitest";
import { choiceOf } from "./options.ts";
import type { ReadSecret } from "./select.ts";
import { type Naming, parseMappings, variablesOf } from "./variables.ts";

function secret(name: string, value: string | Readonly<Record<string, string>> = "x"): ReadSecret {
  const single = typeof value === "string";
  return {
    kind: "value",
    secretId: `sec_${name.toLowerCase().padStart(20, "0")}`,
    projectId: "prj_x",
    name,
    version: 1,
    valueKind: single ? ValueKind.SINGLE : ValueKind.FIELDS,
    plaintext: Buffer.from(single ? value : JSON.stringify(value)),
  };
}

const naming = (more: Partial<Naming> = {}): Naming => ({
  prefix: "",
  mappings: [],
  allowDangerousNames: false,
  identifiers: true,
  ...more,
});

const shown = (secrets: readonly ReadSecret[], more: Partial<Naming> = {}) =>
  variablesOf(secrets, naming(more)).map(({ name, plaintext }) => [
    name,
    Buffer.from(plaintext).toString(),
  ]);

describe("names", () => {
  test("are the secrets', with the prefix", () => {
    expect(shown([secret("A", "1"), secret("B", "2")], { prefix: "APP_" })).toEqual([
      ["APP_A", "1"],
      ["APP_B", "2"],
    ]);
  });

  test("of fields are the secret's and the field's in capitals", () => {
    const db = secret("DB", { user: "ada", password: "s3cret" });
    expect(shown([db])).toEqual([
      ["DB_USER", "ada"],
      ["DB_PASSWORD", "s3cret"],
    ]);
  });

  test("are given by --map, to a secret, to a field, and to one secret twice", () => {
    const db = secret("DB", { user: "ada", password: "s3cret" });
    const mappings = parseMappings(["PGPASSWORD=DB:password", "PGUSER=DB:user", "URL=API"]);
    expect(shown([db, secret("API", "u"), secret("C", "c")], { mappings, prefix: "X_" })).toEqual([
      ["PGPASSWORD", "s3cret"],
      ["PGUSER", "ada"],
      ["URL", "u"],
      ["X_C", "c"],
    ]);
  });

  test("are given by --map to nothing but what was read: else a program would run without the variable", () => {
    for (const mapping of ["X=B", "X=B:user", "X=sec_00000000000000000009"]) {
      const mappings = parseMappings([mapping]);
      expect(() => shown([secret("A")], { mappings })).toThrow(
        expect.objectContaining({ reason: "NOT_GRANTED" }),
      );
    }
  });

  test("that are no identifiers are refused with the mapping that helps", () => {
    for (const [name, suggestion] of [
      ["my-key", "MY_KEY=my-key"],
      ["tls.pem", "TLS_PEM=tls.pem"],
      ["2FA", "_2FA=2FA"],
    ] as const) {
      expect(() => shown([secret(name)])).toThrow(
        expect.objectContaining({
          reason: "NAME_UNFIT",
          next: `give it another: --map ${suggestion}`,
        }),
      );
    }
    expect(shown([secret("my-key")], { identifiers: false })).toEqual([["my-key", "x"]]);
  });

  test("of a secret that was named twice, by name and by id, are there once", () => {
    const a = secret("A");
    expect(shown([a, a])).toEqual([["A", "x"]]);
    expect(shown([a, a], { mappings: parseMappings([`X=${a.secretId}`]) })).toEqual([["X", "x"]]);
  });

  test("that would be there twice are refused", () => {
    expect(() => shown([secret("A"), secret("A")])).toThrow(/both be called A/);
    const fields = secret("A", { b: "1" });
    expect(() => shown([fields, secret("A_B")])).toThrow(/A:b and A_B would both be called A_B/);
    expect(() => shown([secret("A", { b: "1", B: "2" })])).toThrow(/both be called A_B/);
  });

  test("that make programs run code are refused unless allowed, however they came about", () => {
    const dangers: (readonly [ReadSecret, Partial<Naming>])[] = [
      [secret("LD_PRELOAD"), {}],
      [secret("bash_env"), {}],
      [secret("PRELOAD"), { prefix: "LD_" }],
      [secret("LD", { preload: "x" }), {}],
      [secret("A"), { mappings: parseMappings(["NODE_OPTIONS=A"]) }],
    ];
    for (const [dangerous, how] of dangers) {
      expect(() => shown([dangerous], how)).toThrow(
        expect.objectContaining({ reason: "NAME_DANGEROUS" }),
      );
      expect(() => shown([dangerous], { ...how, identifiers: false })).toThrow(/dangerous/);
      expect(shown([dangerous], { ...how, allowDangerousNames: true })).toHaveLength(1);
    }
  });
});

test("a field that is not there is named with those that are", () => {
  const mappings = parseMappings(["X=DB:pass"]);
  expect(() => shown([secret("DB", { user: "a", password: "b" })], { mappings })).toThrow(
    /no field pass: its fields are user, password/,
  );
  expect(() => shown([secret("DB", "x")], { mappings })).toThrow(/single value/);
});

test.each(["A", "=B", "A=", "A=B:", "A=B=C", "A=B:C:D"])("--map %s is a usage error", (text) => {
  expect(() => parseMappings([text])).toThrow(/--map takes/);
});

test("what is mapped is read with what is named; without --only everything is", () => {
  const options = { project: undefined, prefix: "", allowDangerousNames: false, except: [] };
  expect(choiceOf({ ...options, only: ["A"], map: ["X=B", "Y=A"] }, true).selection.named).toEqual([
    "A",
    "B",
  ]);
  expect(choiceOf({ ...options, only: [], map: ["X=B"] }, true).selection.named).toEqual([]);
});
