import { randomBytes } from "node:crypto";
import { type DescMethodUnary, type MessageInitShape, create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { loadTrust, publicKeyOf, signCredential, signEd25519 } from "@sallyport/evidence";
import {
  type ForwardRequest,
  ForwardRequestSchema,
} from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import {
  KeyUse,
  PrincipalKind,
  Role,
  SignedRequestSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { signTestKeyset } from "./keyset.ts";
import {
  type AnswerOwner,
  contentDigest,
  rootFingerprint,
  signatureBase,
  signatureParams,
} from "@sallyport/proto/signing";
import { type TestAnswerKeys, createAnswerKeys } from "./answer-keys.ts";

/** A person of a vault with a device key. */
export type SigningUser = {
  readonly userId: string;
  readonly keyId: string;
  readonly vaultId: string;
  readonly role: Role;
  readonly seed: Uint8Array;
};

type Signer = Pick<SigningUser, "keyId" | "seed">;
type Content = { readonly contentType: string; readonly body: Uint8Array<ArrayBuffer> };

const authority = "localhost:8443";
const credentialKeyId = "credential-1";

/** Makes a person; an owner of a new vault unless told otherwise. */
export function newUser(vaultId = newId("vlt"), role: Role = Role.OWNER): SigningUser {
  const userId = newId("usr");
  return {
    userId,
    keyId: `${userId}.${newId("req").slice(4)}`,
    vaultId,
    role,
    seed: randomBytes(32),
  };
}

/** Makes a machine, which signs as a person does, under its id. */
export function newMachine(vaultId: string): SigningUser {
  const userId = newId("mch");
  return { userId, keyId: userId, vaultId, role: Role.UNSPECIFIED, seed: randomBytes(32) };
}

/**
 * Makes a deployment's roots: what a service is configured with, and what signs requests as the
 * gateway forwards them.
 */
export function createSignedDeployment(clock: () => number) {
  const rootSeed = randomBytes(32);
  const identitySeed = randomBytes(32);
  const logKey = { keyId: "log-1", key: randomBytes(32) };
  const rootPublicKey = publicKeyOf(rootSeed);
  const answers = createAnswerKeys();
  const config = {
    keyset: signedKeyset({ rootSeed, identitySeed, logKey }, answers, clock()),
    rootFingerprint: rootFingerprint(rootPublicKey),
    publicNames: [authority],
    clockWindowSeconds: 60,
  };
  return {
    config,
    /** What signs its keysets. */
    rootSeed,
    /** The key of the log, as its file holds it. */
    logKeys: [logKey],
    /** An owner's answer key, as its file holds it. */
    answerKeys: (owner: AnswerOwner) => answers.of(owner),
    /** The deployment's keys as a service trusts them. */
    trust: () => loadTrust(config.keyset, config.rootFingerprint, clock()),
    /** The credential that identity gives out for the person now. */
    credentialOf: (user: SigningUser) => credentialOf(user, identitySeed, clock()),
    /** Signs a POST of just these bytes, with any key under any id. */
    signRequest: (signer: Signer, path: string, content: Content) =>
      create(SignedRequestSchema, signedBy(signer, path, content, clock())),
    /** Signs a request as the user and returns it as the gateway would forward it. */
    forwardRequest<M extends DescMethodUnary>(
      user: SigningUser,
      method: M,
      request: MessageInitShape<M["input"]>,
    ): ForwardRequest {
      const body = toBinary(method.input, create(method.input, request));
      const credential = credentialOf(user, identitySeed, clock());
      const path = `/${method.parent.typeName}/${method.name}`;
      const signedRequest = signedBy(
        user,
        path,
        { contentType: "application/proto", body },
        clock(),
      );
      return create(ForwardRequestSchema, {
        signedRequest,
        credential,
        sourceIp: "192.0.2.7",
        client: "sallyport-cli/0.1.0",
        requestId: newId("req"),
      });
    },
  };
}

function signedBy(user: Signer, path: string, { contentType, body }: Content, nowMs: number) {
  const parts = {
    method: "POST",
    authority,
    path,
    contentType,
    contentDigest: contentDigest(body),
  };
  const nonce = randomBytes(16).toString("base64url");
  const params = signatureParams({ created: Math.floor(nowMs / 1000), nonce, keyId: user.keyId });
  const signature = signEd25519(user.seed, signatureBase({ ...parts, signatureParams: params }));
  return {
    ...parts,
    body,
    signatureInput: `sp=${params}`,
    signature: `sp=:${Buffer.from(signature).toString("base64")}:`,
  };
}

function credentialOf(user: SigningUser, identitySeed: Uint8Array, nowMs: number) {
  const claims = {
    principalId: user.userId,
    kind: user.userId.startsWith("mch_") ? PrincipalKind.MACHINE : PrincipalKind.USER,
    vaultId: user.vaultId,
    publicKey: publicKeyOf(user.seed),
    keyId: user.keyId,
    role: user.role,
    issuedAt: timestampFromMs(nowMs),
    expiresAt: timestampFromMs(nowMs + 60_000),
    serial: randomBytes(16),
  };
  return signCredential(claims, { keyId: credentialKeyId, seed: identitySeed });
}

function signedKeyset(
  seeds: {
    readonly rootSeed: Uint8Array;
    readonly identitySeed: Uint8Array;
    readonly logKey: { readonly keyId: string; readonly key: Uint8Array };
  },
  answers: TestAnswerKeys,
  nowMs: number,
): Uint8Array {
  const { rootSeed, identitySeed, logKey } = seeds;
  const other = (keyId: string, use: KeyUse) => ({
    keyId,
    use,
    publicKey: publicKeyOf(randomBytes(32)),
  });
  return signTestKeyset(rootSeed, {
    epoch: 1,
    notAfter: timestampFromMs(nowMs + 365 * 86_400_000),
    keys: [
      { keyId: credentialKeyId, use: KeyUse.CREDENTIAL, publicKey: publicKeyOf(identitySeed) },
      other("sealing-1", KeyUse.SEALING),
      other("reply-1", KeyUse.REPLY),
      { keyId: logKey.keyId, use: KeyUse.LOG, publicKey: publicKeyOf(logKey.key) },
      ...answers.published,
    ],
  });
}
