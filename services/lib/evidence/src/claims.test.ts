import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  CredentialClaimsSchema,
  PermitClaimsSchema,
  PermitSchema,
  PrincipalKind,
  Role,
  SlipClaimsSchema,
  SlipSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { LABELS, labelled } from "@sallyport/proto/signing";
import { describe, expect, test } from "vitest";
import { openCredential, signCredential } from "./credential.ts";
import { publicKeyOf, signEd25519 } from "./ed25519.ts";
import { EvidenceError } from "@sallyport/proto/verifying";
import { type Vouched, vouch } from "./macs.ts";
import { openPermit, sealPermit } from "./permit.ts";
import { openSlip, sealSlip } from "./slip.ts";

const nowMs = 1_764_000_000_000;
const signing = { keyId: "identity-1", seed: new Uint8Array(32).fill(1) };
const trust = {
  notAfterMs: nowMs + 3_600_000,
  publicKey: (_: number, keyId: string) =>
    keyId === signing.keyId ? publicKeyOf(signing.seed) : undefined,
};
const keys = [1, 2].map((fill) => ({ keyId: `key-${fill}`, key: new Uint8Array(32).fill(fill) }));
const machineId = "mch_0123456789abcdefghjk";
const vaultId = "vlt_0123456789abcdefghjk";
const at = (ms: number) => timestampFromMs(nowMs + ms);

const credentialClaims = {
  principalId: machineId,
  kind: PrincipalKind.MACHINE,
  vaultId,
  publicKey: new Uint8Array(32).fill(3),
  keyId: machineId,
  issuedAt: at(0),
  expiresAt: at(60_000),
  serial: new Uint8Array(16),
};
const permitClaims = {
  machineId,
  vaultId,
  requestDigest: new Uint8Array(32),
  secrets: [{ secretId: "sec_0123456789abcdefghjk", projectId: "prj_0123456789abcdefghjk" }],
  decisionId: "dec_0123456789abcdefghjk",
  expiresAt: at(10_000),
};
const slipClaims = {
  vaultId,
  projectId: "prj_0123456789abcdefghjk",
  secretId: "sec_0123456789abcdefghjk",
  name: "DB_URL",
  version: 1,
  envelopeSha256: new Uint8Array(32),
  requestDigest: new Uint8Array(32),
  expiresAt: at(10_000),
};

function refusalOf(open: () => unknown): EvidenceError {
  try {
    open();
  } catch (error) {
    if (error instanceof EvidenceError) return error;
  }
  throw new Error("it was not refused for its evidence");
}

describe("credential", () => {
  const good = signCredential(credentialClaims, signing);
  const resigned = (payload: Uint8Array<ArrayBuffer>) => ({
    ...good,
    payload,
    signature: signEd25519(signing.seed, labelled(LABELS.credential, payload)),
  });
  const bytesOf = (claims: Parameters<typeof create<typeof CredentialClaimsSchema>>[1]) =>
    toBinary(CredentialClaimsSchema, create(CredentialClaimsSchema, claims));

  test("what was signed opens until it expires", () => {
    expect(openCredential(good, trust, nowMs + 59_999)).toMatchObject({
      principalId: machineId,
      vaultId,
    });
    expect(() => openCredential(good, trust, nowMs + 60_000)).toThrow("credential: it is expired");
  });

  test.each([
    ["an unknown key", { ...good, keyId: "identity-2" }, "does not have its key"],
    [
      "a changed payload",
      { ...good, payload: bytesOf({ ...credentialClaims, role: Role.OWNER }) },
      "signature",
    ],
    [
      "a signature over another label",
      { ...good, signature: signEd25519(signing.seed, labelled(LABELS.reply, good.payload)) },
      "signature",
    ],
    [
      "an unknown field",
      resigned(new Uint8Array([...good.payload, 0xf8, 0x07, 0x01])),
      "unknown fields",
    ],
    ["no vault", resigned(bytesOf({ ...credentialClaims, vaultId: "" })), "vault_id"],
    [
      "a lifetime over 60 s",
      resigned(bytesOf({ ...credentialClaims, issuedAt: at(-1) })),
      "lives longer",
    ],
    [
      "a lifetime far over 60 s",
      resigned(bytesOf({ ...credentialClaims, expiresAt: at(3_600_000) })),
      "lives longer",
    ],
    [
      "an issue in the future",
      resigned(bytesOf({ ...credentialClaims, issuedAt: at(5_001), expiresAt: at(10_000) })),
      "future",
    ],
    [
      "a machine with a role",
      resigned(bytesOf({ ...credentialClaims, role: Role.OWNER })),
      "kind and role",
    ],
    [
      "a user's kind",
      resigned(bytesOf({ ...credentialClaims, kind: PrincipalKind.USER, role: Role.OWNER })),
      "keyid and principal do not agree",
    ],
    [
      "another keyid",
      resigned(bytesOf({ ...credentialClaims, keyId: "mch_zzzzzzzzzzzzzzzzzzzz" })),
      "do not agree",
    ],
    [
      "a keyid that is none",
      resigned(bytesOf({ ...credentialClaims, keyId: "nobody" })),
      "the keyid is malformed",
    ],
    [
      "a keyid of a new key",
      resigned(bytesOf({ ...credentialClaims, keyId: `key:${"A".repeat(43)}` })),
      "do not agree",
    ],
  ])("refused: %s", (_, credential, message) => {
    const refused = refusalOf(() => openCredential(credential, trust, nowMs));
    expect(refused.step).toBe("credential");
    expect(refused.message).toContain(message);
  });

  test("clocks may differ by 5 seconds", () => {
    const claims = { ...credentialClaims, issuedAt: at(5_000), expiresAt: at(65_000) };
    expect(openCredential(resigned(bytesOf(claims)), trust, nowMs).principalId).toBe(machineId);
  });

  test("a user's credential names the device key and needs a role", () => {
    const user = {
      ...credentialClaims,
      principalId: "usr_0123456789abcdefghjk",
      kind: PrincipalKind.USER,
    };
    const claims = { ...user, keyId: "usr_0123456789abcdefghjk.kjhgfedcba9876543210" };
    expect(
      openCredential(signCredential({ ...claims, role: Role.OWNER }, signing), trust, nowMs).role,
    ).toBe(Role.OWNER);
    expect(() => openCredential(signCredential(claims, signing), trust, nowMs)).toThrow(
      "kind and role",
    );
  });

  test("nothing opens once the keyset is past its time", () => {
    expect(() => openCredential(good, { ...trust, notAfterMs: nowMs }, nowMs)).toThrow(
      "past its time",
    );
  });

  test("claims that break their contract are not signed", () => {
    expect(() => signCredential({ ...credentialClaims, vaultId: "" }, signing)).toThrow("vault_id");
  });
});

describe.each([
  {
    what: "permit",
    label: LABELS.permit,
    good: sealPermit(permitClaims, keys),
    bytes: (extra: object) =>
      toBinary(PermitClaimsSchema, create(PermitClaimsSchema, { ...permitClaims, ...extra })),
    open: (sealed: Vouched, nowMs: number, held = keys) =>
      openPermit(create(PermitSchema, sealed), held, nowMs),
  },
  {
    what: "slip",
    label: LABELS.slip,
    good: sealSlip(slipClaims, keys),
    bytes: (extra: object) =>
      toBinary(SlipClaimsSchema, create(SlipClaimsSchema, { ...slipClaims, ...extra })),
    open: (sealed: Vouched, nowMs: number, held = keys) =>
      openSlip(create(SlipSchema, sealed), held, nowMs),
  },
])("$what", ({ what, label, good, bytes, open }) => {
  const permit: Vouched = { payload: good.payload, keyId: good.keyId, mac: good.mac };
  const sealed = (payload: Uint8Array<ArrayBuffer>): Vouched => vouch(label, payload, keys);

  test("what was sealed opens under either key until it expires", () => {
    expect(permit.keyId).toBe("key-1");
    expect(open(permit, nowMs + 9_999, keys.toReversed())).toMatchObject({ vaultId });
    expect(() => open(permit, nowMs + 10_000)).toThrow(`${what}: it is expired`);
  });

  test.each([
    ["an unknown key", { ...permit, keyId: "key-3" }, "MAC key is unknown"],
    ["the MAC of another key", { ...permit, keyId: "key-2" }, "MAC does not hold"],
    ["a short MAC", { ...permit, mac: permit.mac.subarray(1) }, "MAC does not hold"],
    [
      "a changed payload",
      { ...permit, payload: bytes({ expiresAt: at(9_999) }) },
      "MAC does not hold",
    ],
    [
      "a MAC over another label",
      { ...permit, ...vouch(LABELS.request, bytes({}), keys) },
      "MAC does not hold",
    ],
    [
      "an unknown field",
      sealed(new Uint8Array([...permit.payload, 0xf8, 0x07, 0x01])),
      "unknown fields",
    ],
    ["no digest", sealed(bytes({ requestDigest: new Uint8Array() })), "request_digest"],
    ["no expiry", sealed(bytes({ expiresAt: undefined })), "expires_at"],
    ["a lifetime over 10 s", sealed(bytes({ expiresAt: at(15_001) })), "lives longer"],
  ])("refused: %s", (_, value, message) => {
    const refused = refusalOf(() => open(value, nowMs));
    expect(refused.step).toBe(what);
    expect(refused.message).toContain(message);
  });

  test("clocks may differ by 5 seconds", () => {
    expect(open(sealed(bytes({ expiresAt: at(15_000) })), nowMs)).toMatchObject({ vaultId });
  });

  test("nothing is sealed without a key", () => {
    expect(() => vouch(label, bytes({}), [])).toThrow("no MAC key");
  });
});
