import { randomBytes } from "node:crypto";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { publicKeyOf, signCredential, signEd25519 } from "@sallyport/evidence";
import {
  type Credential,
  KeyUse,
  PrincipalKind,
  Role,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { newId } from "@sallyport/proto/ids";
import {
  contentDigest,
  rootFingerprint,
  signatureBase,
  signatureParams,
} from "@sallyport/proto/signing";
import { createAnswerKeys, signTestKeyset } from "@sallyport/test/infra";

/** A key pair, and the keyid under which it signs. */
export type TestKey = {
  readonly seed: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly keyId: string;
};

/** An enrolled principal with its key. */
export type TestPrincipal = TestKey & {
  readonly principalId: string;
  readonly kind: PrincipalKind;
  readonly role: Role;
  readonly vaultId: string;
};

/** Makes a key that is not enrolled. */
export function newKey(): TestKey {
  const seed = new Uint8Array(randomBytes(32));
  const publicKey = publicKeyOf(seed);
  return { seed, publicKey, keyId: `key:${Buffer.from(publicKey).toString("base64url")}` };
}

/** Makes a machine of some vault; it is enrolled once the test's identity knows it. */
export function newMachine(): TestPrincipal {
  const principalId = newId("mch");
  const role = Role.UNSPECIFIED;
  const vaultId = newId("vlt");
  return {
    ...newKey(),
    keyId: principalId,
    principalId,
    kind: PrincipalKind.MACHINE,
    role,
    vaultId,
  };
}

/** Makes a person of some vault with one device. */
export function newUser(role: Role): TestPrincipal {
  const principalId = newId("usr");
  const keyId = `${principalId}.${newId("req").slice(4)}`;
  return { ...newKey(), keyId, principalId, kind: PrincipalKind.USER, role, vaultId: newId("vlt") };
}

/** The parts that a signature covers, and its parameters; `createdSeconds` is Unix time. */
export type Covered = {
  readonly authority: string;
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array;
  readonly createdSeconds?: number | undefined;
  readonly nonce?: string | undefined;
};

/** The three headers that carry a signature (SIGNING §3). */
export function signatureHeaders(key: TestKey, covered: Covered): Record<string, string> {
  const digest = contentDigest(covered.body);
  const params = signatureParams({
    created: covered.createdSeconds ?? Math.floor(Date.now() / 1000),
    nonce: covered.nonce ?? randomBytes(16).toString("base64url"),
    keyId: key.keyId,
  });
  const base = signatureBase({
    method: "POST",
    authority: covered.authority,
    path: covered.path,
    contentType: covered.contentType,
    contentDigest: digest,
    signatureParams: params,
  });
  const signature = Buffer.from(signEd25519(key.seed, base)).toString("base64");
  return {
    "content-digest": digest,
    "signature-input": `sp=${params}`,
    signature: `sp=:${signature}:`,
  };
}

/**
 * A deployment's keyset, its root's fingerprint, and identity's way to make credentials under it.
 */
export type TestTrust = {
  readonly keyset: Uint8Array;
  readonly rootFingerprint: string;
  credentialOf(principal: TestPrincipal, lifetimeMs?: number): Credential;
};

/** Makes a root, identity's key, and a keyset that names them. */
export function createTestTrust(): TestTrust {
  const [root, identity] = [newKey(), newKey()];
  const answers = createAnswerKeys();
  const others = [KeyUse.SEALING, KeyUse.REPLY, KeyUse.LOG];
  const keyset = signTestKeyset(root.seed, {
    epoch: 1,
    notAfter: timestampFromMs(Date.now() + 365 * 86_400_000),
    keys: [
      { keyId: "credential-1", use: KeyUse.CREDENTIAL, publicKey: identity.publicKey },
      ...others.map((use) => ({ keyId: `other-${use}`, use, publicKey: newKey().publicKey })),
      ...answers.published,
    ],
  });
  return {
    keyset,
    rootFingerprint: rootFingerprint(root.publicKey),
    credentialOf(principal, lifetimeMs = 60_000) {
      const { principalId, kind, role, vaultId, publicKey, keyId } = principal;
      const nowMs = Date.now();
      const times = {
        issuedAt: timestampFromMs(nowMs),
        expiresAt: timestampFromMs(nowMs + lifetimeMs),
      };
      const serial = randomBytes(16);
      const statement = { principalId, kind, role, vaultId, publicKey, keyId, ...times, serial };
      return signCredential(statement, { keyId: "credential-1", seed: identity.seed });
    },
  };
}
