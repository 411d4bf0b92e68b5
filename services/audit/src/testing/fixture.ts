import { randomBytes } from "node:crypto";
import { type DescMethodUnary, type MessageInitShape, create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { publicKeyOf, signCredential, signEd25519 } from "@sallyport/evidence";
import {
  type ForwardRequest,
  ForwardRequestSchema,
} from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import {
  KeyUse,
  PrincipalKind,
  type Role,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { newId } from "@sallyport/proto/ids";
import {
  contentDigest,
  rootFingerprint,
  signatureBase,
  signatureParams,
} from "@sallyport/proto/signing";
import { type TestAnswerKeys, createAnswerKeys, signTestKeyset } from "@sallyport/test/infra";

/** A deployment's keys for tests. */
export type TestRoots = {
  readonly rootSeed: Uint8Array;
  readonly keyset: Uint8Array;
  readonly rootFingerprint: string;
  readonly credentialKey: { readonly keyId: string; readonly seed: Uint8Array };
  readonly answerKeys: ReturnType<TestAnswerKeys["of"]>;
  readonly logKeys: readonly { readonly keyId: string; readonly key: Uint8Array }[];
};

/** Makes a root and a keyset with one key for each use. */
export function createRoots(nowMs: number): TestRoots {
  const root = randomBytes(32);
  const credentialKey = { keyId: "credential-1", seed: randomBytes(32) };
  const logKey = { keyId: "log-1", key: randomBytes(32) };
  const log = { keyId: logKey.keyId, use: KeyUse.LOG, publicKey: publicKeyOf(logKey.key) };
  const uses = [KeyUse.SEALING, KeyUse.REPLY];
  const others = uses.map((use) => ({
    keyId: `other-${use}`,
    use,
    publicKey: publicKeyOf(randomBytes(32)),
  }));
  const credential = {
    keyId: credentialKey.keyId,
    use: KeyUse.CREDENTIAL,
    publicKey: publicKeyOf(credentialKey.seed),
  };
  const answers = createAnswerKeys();
  const keys = [credential, log, ...others, ...answers.published];
  const notAfter = timestampFromMs(nowMs + 3_600_000);
  const keyset = signTestKeyset(root, { epoch: 1, notAfter, keys });
  return {
    rootSeed: root,
    keyset,
    rootFingerprint: rootFingerprint(publicKeyOf(root)),
    credentialKey,
    answerKeys: answers.of("audit"),
    logKeys: [logKey],
  };
}

/** The signer of a request, and its time in milliseconds. */
export type TestUser = { readonly vaultId: string; readonly role: Role; readonly nowMs: number };

/** Makes a public request as the gateway forwards it, signed by a new key of a user. */
export function forwarded<M extends DescMethodUnary>(
  method: M,
  message: MessageInitShape<M["input"]>,
  { vaultId, role, nowMs }: TestUser,
  { credentialKey }: TestRoots,
): ForwardRequest {
  const seed = randomBytes(32);
  const principalId = newId("usr");
  const keyId = `${principalId}.${newId("usr").slice(4)}`;
  const body = toBinary<M["input"]>(method.input, create<M["input"]>(method.input, message));
  const covered = {
    method: "POST",
    authority: "localhost:8443",
    path: `/${method.parent.typeName}/${method.name}`,
    contentType: "application/proto",
    contentDigest: contentDigest(body),
  };
  const nonce = randomBytes(16).toString("base64url");
  const params = signatureParams({ created: Math.floor(nowMs / 1000), nonce, keyId });
  const signature = signEd25519(seed, signatureBase({ ...covered, signatureParams: params }));
  const claims = {
    principalId,
    kind: PrincipalKind.USER,
    vaultId,
    publicKey: publicKeyOf(seed),
    keyId,
    role,
    issuedAt: timestampFromMs(nowMs),
    expiresAt: timestampFromMs(nowMs + 60_000),
    serial: randomBytes(16),
  };
  return create(ForwardRequestSchema, {
    signedRequest: {
      ...covered,
      signatureInput: `sp=${params}`,
      signature: `sp=:${Buffer.from(signature).toString("base64")}:`,
      body,
    },
    credential: signCredential(claims, credentialKey),
    sourceIp: "192.0.2.1",
    requestId: newId("req"),
  });
}
