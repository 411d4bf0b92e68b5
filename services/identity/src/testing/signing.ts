import { createHash, randomBytes } from "node:crypto";
import {
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  create,
  toBinary,
} from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type AnswerKey,
  type Trust,
  loadTrust,
  pickAnswerKey,
  publicKeyOf,
  signEd25519,
} from "@sallyport/evidence";
import {
  KeyUse,
  type SignedRequest,
  SignedRequestSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  contentDigest,
  enrollmentStatement,
  loginStatement,
  rootFingerprint,
  signatureBase,
  signatureParams,
} from "@sallyport/proto/signing";
import { createAnswerKeys, signTestKeyset } from "@sallyport/test/infra";
import type { CredentialKey } from "../keys/credential.ts";

/** The public name under which tests sign. */
export const authority = "localhost:8443";

/** A key pair, and the keyid under which it signs. */
export type TestKey = {
  readonly seed: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly keyId: string;
};

/** Makes a key; without a keyid it is one that is not enrolled yet. */
export function newKey(): TestKey {
  const seed = new Uint8Array(randomBytes(32));
  const publicKey = publicKeyOf(seed);
  return { seed, publicKey, keyId: `key:${Buffer.from(publicKey).toString("base64url")}` };
}

/** The SHA-256 of a key's public half. */
export function keySha256(key: TestKey): Uint8Array {
  return new Uint8Array(createHash("sha256").update(key.publicKey).digest());
}

/** The proof that a token or code admits a key (SIGNING §8). */
export function prove(
  kind: "machine" | "device",
  vaultId: string,
  admitting: TestKey,
  admitted: TestKey,
): Uint8Array {
  const statement = kind === "machine" ? enrollmentStatement : loginStatement;
  return signEd25519(admitting.seed, statement(vaultId, admitting.publicKey, admitted.publicKey));
}

/** Signs a request of a method (SIGNING §2-§6). */
export function signRequest<I extends DescMessage>(
  key: TestKey,
  method: DescMethodUnary<I>,
  request: MessageInitShape<I>,
  nowMs: number,
): SignedRequest {
  const body = toBinary(method.input, create(method.input, request));
  const params = signatureParams({
    created: Math.floor(nowMs / 1000),
    nonce: randomBytes(16).toString("base64url"),
    keyId: key.keyId,
  });
  const covered = {
    method: "POST",
    authority,
    path: `/${method.parent.typeName}/${method.name}`,
    contentType: "application/proto",
    contentDigest: contentDigest(body),
  };
  const base = signatureBase({ ...covered, signatureParams: params });
  const signature = Buffer.from(signEd25519(key.seed, base)).toString("base64");
  return create(SignedRequestSchema, {
    ...covered,
    signatureInput: `sp=${params}`,
    signature: `sp=:${signature}:`,
    body,
  });
}

/** A deployment's keyset, in its serialised form and as trusted, and identity's keys in it. */
export type TestTrust = {
  readonly rootSeed: Uint8Array;
  readonly keyset: Uint8Array;
  readonly rootFingerprint: string;
  readonly trust: Trust;
  readonly credentialKey: CredentialKey;
  readonly answerKeys: ReturnType<ReturnType<typeof createAnswerKeys>["of"]>;
  readonly answerKey: AnswerKey;
};

/** Makes a root, a credential key and a keyset. */
export function createTestTrust(nowMs: number): TestTrust {
  const [root, credential] = [newKey(), newKey()];
  const answers = createAnswerKeys();
  const others = [KeyUse.SEALING, KeyUse.REPLY, KeyUse.LOG];
  const keyset = signTestKeyset(root.seed, {
    epoch: 1,
    notAfter: timestampFromMs(nowMs + 365 * 86_400_000),
    keys: [
      { keyId: "credential-1", use: KeyUse.CREDENTIAL, publicKey: credential.publicKey },
      ...others.map((use) => ({ keyId: `other-${use}`, use, publicKey: newKey().publicKey })),
      ...answers.published,
    ],
  });
  const fingerprint = rootFingerprint(root.publicKey);
  const trust = loadTrust(keyset, fingerprint, nowMs);
  const answerKeys = answers.of("identity");
  return {
    rootSeed: root.seed,
    keyset,
    rootFingerprint: fingerprint,
    trust,
    answerKeys,
    answerKey: pickAnswerKey(answerKeys, "identity", trust),
    credentialKey: { keyId: "credential-1", seed: credential.seed },
  };
}
