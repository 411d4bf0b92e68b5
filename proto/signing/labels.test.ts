import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  sign,
  verify,
} from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  FormatError,
  LABELS,
  enrollmentStatement,
  formatToken,
  labelled,
  lengthPrefixed,
  loginStatement,
  parseToken,
  readAad,
  readInfo,
  renewalStatement,
  rootFingerprint,
  writeInfo,
} from "./index.ts";

type Statement = Record<
  "vaultId" | "admittingPublicKey" | "admittedPublicKey" | "statement" | "seed" | "signature",
  string
>;
type Token = {
  text: string;
  kind: "enr" | "login";
  id: string;
  vaultId: string;
  rootFingerprint: string;
  seed: string;
  keySha256: string;
};
type Tokens = {
  rootPublicKey: string;
  rootFingerprint: string;
  valid: Token[];
  invalid: { name: string; text: string }[];
  enrollmentStatement: Statement;
  loginStatement: Statement;
  renewalStatement: Record<
    "vaultId" | "oldPublicKey" | "newPublicKey" | "statement" | "seed" | "signature",
    string
  >;
  invalidRenewalProofs: { name: string; signature: string }[];
};
type Target = {
  vaultId: string;
  projectId: string;
  secretId: string;
  expectedVersion: number;
  principalId: string;
  kind: number;
  projectName: string;
  secretName: string;
};
type Sealing = {
  readInfo: { requestDigest: string; info: string };
  readAad: { secretId: string; version: number; aad: string }[];
  writeInfo: (Target & { info: string })[];
};
type Labels = {
  payload: string;
  publicKey: string;
  macKey: string;
  signed: { label: string; preimage: string; signature: string }[];
  authenticated: { label: string; preimage: string; mac: string }[];
};

function load(name: string): unknown {
  return JSON.parse(
    readFileSync(new URL(`../../test/vectors/signing/${name}.json`, import.meta.url), "utf8"),
  );
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const base64 = (text: string): Buffer => Buffer.from(text, "base64");
const privateKeyOf = (seed: Buffer) =>
  createPrivateKey({
    key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]),
    format: "der",
    type: "pkcs8",
  });
const publicKeyOf = (raw: Buffer) =>
  createPublicKey({
    key: Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), raw]),
    format: "der",
    type: "spki",
  });

describe("SIGNING §8", () => {
  const tokens = load("tokens") as Tokens;

  test("the root's fingerprint", () => {
    expect(rootFingerprint(base64(tokens.rootPublicKey))).toBe(tokens.rootFingerprint);
  });

  test.each(tokens.valid)(
    "a token of kind $kind is read and written",
    ({ text, kind, keySha256, ...parts }) => {
      const parsed = parseToken(text, kind);
      expect({ ...parsed, seed: Buffer.from(parsed.seed).toString("base64") }).toEqual({
        ...parts,
        kind,
      });
      expect(formatToken(kind, parsed)).toBe(text);
      const publicKey = createPublicKey(privateKeyOf(base64(parts.seed)))
        .export({ format: "der", type: "spki" })
        .subarray(-32);
      expect(createHash("sha256").update(publicKey).digest("hex")).toBe(keySha256);
    },
  );

  test.each(tokens.invalid)("token refused: $name", ({ text }) => {
    expect(() => parseToken(text)).toThrow(FormatError);
  });

  test("one kind does not pass for the other, and no message repeats the text", () => {
    const [enrollment] = tokens.valid;
    expect(() => parseToken(enrollment?.text ?? "", "login")).toThrow(
      "this is an enrollment token, not a login code",
    );
    expect(() => parseToken("sp_enr_secret")).toThrow(/^(?!.*secret)/);
  });

  test.each([
    ["enrollment", enrollmentStatement, tokens.enrollmentStatement],
    ["login", loginStatement, tokens.loginStatement],
  ] as const)("the %s statement", (_, statement, vector) => {
    const bytes = statement(
      vector.vaultId,
      base64(vector.admittingPublicKey),
      base64(vector.admittedPublicKey),
    );
    expect(hex(bytes)).toBe(vector.statement);
    expect(sign(null, bytes, privateKeyOf(base64(vector.seed))).toString("base64")).toBe(
      vector.signature,
    );
    expect(() =>
      statement("vlt_", base64(vector.admittingPublicKey), base64(vector.admittedPublicKey)),
    ).toThrow(FormatError);
    expect(() =>
      statement(vector.vaultId, base64(vector.admittingPublicKey), new Uint8Array(33)),
    ).toThrow(FormatError);
  });

  describe("the renewal statement", () => {
    const { vaultId, oldPublicKey, newPublicKey, ...vector } = tokens.renewalStatement;
    const bytes = renewalStatement(vaultId, base64(oldPublicKey), base64(newPublicKey));

    test("is signed by the new key", () => {
      expect(hex(bytes)).toBe(vector.statement);
      const signature = sign(null, bytes, privateKeyOf(base64(vector.seed)));
      expect(signature.toString("base64")).toBe(vector.signature);
      expect(verify(null, bytes, publicKeyOf(base64(newPublicKey)), signature)).toBe(true);
      expect(() => renewalStatement("vlt_", base64(oldPublicKey), base64(newPublicKey))).toThrow(
        FormatError,
      );
    });

    test.each(tokens.invalidRenewalProofs)("is not proven $name", ({ signature }) => {
      expect(verify(null, bytes, publicKeyOf(base64(newPublicKey)), base64(signature))).toBe(false);
    });
  });
});

describe("SIGNING §9", () => {
  const sealing = load("sealing") as Sealing;

  test("info and associated data of a reply", () => {
    expect(hex(readInfo(Buffer.from(sealing.readInfo.requestDigest, "hex")))).toBe(
      sealing.readInfo.info,
    );
    for (const { secretId, version, aad } of sealing.readAad)
      expect(hex(readAad(secretId, version))).toBe(aad);
  });

  test.each(sealing.writeInfo)(
    "info of a write over version $expectedVersion",
    ({ info, ...target }) => {
      expect(hex(writeInfo(target))).toBe(info);
    },
  );

  test("lengths keep parts apart", () => {
    expect(hex(lengthPrefixed("a", "bc"))).not.toBe(hex(lengthPrefixed("ab", "c")));
  });
});

describe("SIGNING §10", () => {
  const labels = load("labels") as Labels;
  const payload = Buffer.from(labels.payload, "hex");

  test.each(labels.signed)("$label signed", ({ label, preimage, signature }) => {
    expect(hex(labelled(label, payload))).toBe(preimage);
    expect(
      verify(
        null,
        labelled(label, payload),
        publicKeyOf(base64(labels.publicKey)),
        base64(signature),
      ),
    ).toBe(true);
  });

  test.each(labels.authenticated)("$label authenticated", ({ label, preimage, mac }) => {
    expect(hex(labelled(label, payload))).toBe(preimage);
    expect(
      createHmac("sha256", base64(labels.macKey)).update(labelled(label, payload)).digest("base64"),
    ).toBe(mac);
  });

  test("labels differ", () => {
    const all = Object.values(LABELS);
    expect(new Set(all).size).toBe(all.length);
  });
});
