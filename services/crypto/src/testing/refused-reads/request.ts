import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { publicKeyOf } from "@sallyport/evidence";
import { PrincipalKind, Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { newKey } from "@sallyport/proto/keyring";
import { nowMs } from "../deployment.ts";
import { userKeyId } from "../signing.ts";
import { type Case, deployment, machine, user, identity, expired } from "./ground.ts";

/** Reads whose credential, signature or signed request does not hold. */
export const requestCases: readonly Case[] = [
  {
    step: "credential",
    says: "it is missing",
    name: "missing",
    plan: { item: (item) => delete item.credential },
  },
  {
    step: "credential",
    says: "the keyset does not have its key",
    name: "signed by a key that is not in the keyset",
    plan: { issuer: { ...identity, keyId: "identity-2" } },
  },
  {
    step: "credential",
    says: "the signature does not hold",
    name: "signed by another key under identity's id",
    plan: { issuer: { ...identity, seed: newKey() } },
  },
  {
    step: "credential",
    says: "it is expired",
    name: "expired",
    plan: { credential: { expiresAt: expired } },
  },
  {
    step: "credential",
    says: "it lives longer than it may",
    name: "older than 60 s",
    plan: {
      credential: {
        issuedAt: timestampFromMs(nowMs - 61_000),
        expiresAt: timestampFromMs(nowMs + 1_000),
      },
    },
  },
  {
    step: "credential",
    says: "it is not a machine's",
    name: "a user's",
    plan: {
      credential: {
        principalId: user.id,
        kind: PrincipalKind.USER,
        role: Role.OWNER,
        keyId: userKeyId(deployment),
        publicKey: publicKeyOf(user.seed),
      },
      request: { signer: { keyId: userKeyId(deployment), seed: user.seed } },
    },
  },
  {
    step: "signature",
    says: "it does not hold",
    name: "by another key",
    plan: { request: { signer: { keyId: machine.id, seed: newKey() } } },
  },
  {
    step: "signature",
    says: "it is missing",
    name: "missing",
    plan: { item: (item) => delete item.signedRequest },
  },
  {
    step: "signature",
    says: "it does not hold",
    name: "over another path",
    plan: {
      item: ({ signedRequest }) => void Object.assign(signedRequest ?? {}, { path: "/a.B/C" }),
    },
  },
  { step: "method", says: "it is not POST", name: "PUT", plan: { request: { method: "PUT" } } },
  {
    step: "authority",
    says: "it is not ours",
    name: "another deployment's",
    plan: { request: { authority: "elsewhere.test:8443" } },
  },
  {
    step: "path",
    says: "it is not ReadSecrets",
    name: "another read",
    plan: { request: { path: "/sallyport.gateway.v1.ReadService/ListReadableSecrets" } },
  },
  {
    step: "created",
    says: "it is outside the window",
    name: "too long ago",
    plan: { request: { createdMs: nowMs - 66_000 } },
  },
  {
    step: "created",
    says: "it is outside the window",
    name: "too far ahead",
    plan: { request: { createdMs: nowMs + 66_000 } },
  },
  {
    step: "content-type",
    says: "it is not accepted",
    name: "not accepted",
    plan: { request: { contentType: "application/x-protobuf" } },
  },
  {
    step: "content-digest",
    says: "it is another body's",
    name: "of another body",
    plan: { request: { sentBody: Buffer.from("{}") } },
  },
];
