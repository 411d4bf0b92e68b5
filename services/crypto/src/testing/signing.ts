import { randomBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { publicKeyOf, signCredential, signEd25519 } from "@sallyport/evidence";
import {
  type Credential,
  PrincipalKind,
  Role,
  type SignedRequest,
  SignedRequestSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  contentDigest,
  requestDigest,
  signatureBase,
  signatureParams,
} from "@sallyport/proto/signing";
import { type TestDeployment, nowMs, publicName } from "./deployment.ts";

/** Who signs, and under which keyid. */
export type TestSigner = { readonly keyId: string; readonly seed: Uint8Array };

/**
 * What to sign; whatever is absent is as it should be. `sentBody` replaces the body after it was
 * signed.
 */
export type RequestPlan = {
  readonly path: string;
  readonly body: Uint8Array;
  readonly signer: TestSigner;
  readonly method?: string;
  readonly authority?: string;
  readonly contentType?: string;
  readonly createdMs?: number;
  readonly sentBody?: Uint8Array;
};

/** A signed request with its digest. */
export type TestRequest = { readonly signedRequest: SignedRequest; readonly digest: Uint8Array };

/** Signs a request as a client would. */
export function signRequest(plan: RequestPlan): TestRequest {
  const {
    path,
    body,
    signer,
    method = "POST",
    authority = publicName,
    contentType = "application/proto",
    createdMs = nowMs,
  } = plan;
  const params = signatureParams({
    created: Math.floor(createdMs / 1000),
    nonce: randomBytes(16).toString("base64url"),
    keyId: signer.keyId,
  });
  const covered = { method, authority, path, contentType, contentDigest: contentDigest(body) };
  const base = signatureBase({ ...covered, signatureParams: params });
  const signature = Buffer.from(signEd25519(signer.seed, base)).toString("base64");
  const signedRequest = create(SignedRequestSchema, {
    ...covered,
    signatureInput: `sp=${params}`,
    signature: `sp=:${signature}:`,
    body: plan.sentBody ?? body,
  });
  return { signedRequest, digest: requestDigest(base) };
}

type Claims = Parameters<typeof signCredential>[0];

/** Identity's credential for the deployment's machine, with these claims changed. */
export function machineCredential(
  deployment: TestDeployment,
  changed: Claims = {},
  issuer = deployment.identity,
): Credential {
  const { id, seed } = deployment.machine;
  const own = {
    principalId: id,
    keyId: id,
    kind: PrincipalKind.MACHINE,
    publicKey: publicKeyOf(seed),
  };
  return signCredential({ ...timed(deployment.vaultId), ...own, ...changed }, issuer);
}

/** Identity's credential for the deployment's user, with these claims changed. */
export function userCredential(deployment: TestDeployment, changed: Claims = {}): Credential {
  const { id, seed } = deployment.user;
  const own = {
    principalId: id,
    keyId: userKeyId(deployment),
    kind: PrincipalKind.USER,
    role: Role.DEVELOPER,
  };
  return signCredential(
    { ...timed(deployment.vaultId), ...own, publicKey: publicKeyOf(seed), ...changed },
    deployment.identity,
  );
}

/** The keyid of the deployment's user. */
export function userKeyId({ user }: TestDeployment): string {
  return `${user.id}.${"0".repeat(20)}`;
}

function timed(vaultId: string) {
  return {
    vaultId,
    issuedAt: timestampFromMs(nowMs - 1_000),
    expiresAt: timestampFromMs(nowMs + 50_000),
    serial: randomBytes(16),
  };
}
