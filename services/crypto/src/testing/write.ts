import { type MessageInitShape, create, toBinary } from "@bufbuild/protobuf";
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import {
  type SealRequest,
  SealRequestSchema,
} from "@sallyport/proto/gen/sallyport/crypto/internal/v1/seal_pb.ts";
import {
  KeyUse,
  SealingSuite,
  ValueKind,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  AddVersionRequestSchema,
  CreateSecretRequestSchema,
  type SealedValueSchema,
} from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { type WriteBinding, writeInfo, newSecretId } from "@sallyport/proto/signing";
import { createFileKek, newKey } from "@sallyport/proto/keyring";
import { type ProjectKey, wrapProjectKey } from "../project-key.ts";
import type { TestDeployment } from "./deployment.ts";
import { type RequestPlan, signRequest, userCredential, userKeyId } from "./signing.ts";

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

/**
 * What differs from a valid write. `sealedFor` changes what the value is sealed for, not what the
 * request says.
 */
export type WritePlan = {
  readonly plaintext?: Uint8Array;
  readonly kind?: ValueKind;
  /** The current version; above 0 the write is an AddVersion. */
  readonly expectedVersion?: number;
  readonly sealedFor?: Partial<WriteBinding>;
  readonly value?: Omit<MessageInitShape<typeof SealedValueSchema>, "$typeName" | "$unknown">;
  readonly request?: Partial<RequestPlan>;
  readonly credential?: Parameters<typeof userCredential>[1];
  /** Changes the finished request, unnoticed by any maker. */
  readonly finished?: (request: SealRequest) => void;
};

/** A write for Seal, with what its envelope is to be opened by. */
export type PlannedWrite = {
  readonly request: SealRequest;
  readonly secretId: string;
  readonly projectKey: ProjectKey;
};

/** Makes a request for Seal: a value sealed by the user, in a signed CreateSecret or AddVersion. */
export async function planWrite(
  deployment: TestDeployment,
  plan: WritePlan = {},
): Promise<PlannedWrite> {
  const { vaultId, projectId, user, kek } = deployment;
  const { plaintext = Buffer.from("s3cret"), kind = ValueKind.SINGLE, expectedVersion = 0 } = plan;
  const { secretId, idNonce } = newSecretId(vaultId);
  const names = { projectName: "web", secretName: "DB_URL" };
  const binding = {
    vaultId,
    projectId,
    secretId,
    expectedVersion,
    principalId: user.id,
    kind,
    ...names,
    ...plan.sealedFor,
  };
  const value = {
    ...(await sealToDeployment(deployment, plaintext, binding)),
    kind,
    ...plan.value,
  };
  const { signedRequest } = signRequest({
    path: `/sallyport.secrets.v1.SecretService/${expectedVersion === 0 ? "CreateSecret" : "AddVersion"}`,
    body:
      expectedVersion === 0
        ? toBinary(
            CreateSecretRequestSchema,
            create(CreateSecretRequestSchema, {
              secretId,
              idNonce,
              projectId,
              name: names.secretName,
              value,
            }),
          )
        : toBinary(
            AddVersionRequestSchema,
            create(AddVersionRequestSchema, { secretId, projectId, expectedVersion, value }),
          ),
    signer: { keyId: userKeyId(deployment), seed: user.seed },
    ...plan.request,
  });
  const projectKey = { generation: 2, key: newKey() };
  const wrapped = await wrapProjectKey(createFileKek(kek), { vaultId, projectId }, projectKey);
  const credential = userCredential(deployment, plan.credential);
  const request = create(SealRequestSchema, {
    signedRequest,
    credential,
    projectKey: wrapped,
    ...names,
  });
  plan.finished?.(request);
  return { request, secretId, projectKey };
}

async function sealToDeployment(
  { trust }: TestDeployment,
  plaintext: Uint8Array,
  binding: WriteBinding,
) {
  const { keyId, publicKey } = trust.preferred(KeyUse.SEALING);
  const recipientPublicKey = await suite.kem.deserializePublicKey(publicKey);
  const sender = await suite.createSenderContext({ recipientPublicKey, info: writeInfo(binding) });
  const ciphertext = new Uint8Array(await sender.seal(plaintext));
  const encapsulatedKey = new Uint8Array(sender.enc);
  return { suite: SealingSuite.HPKE_X25519_SHA256_AES256GCM, keyId, encapsulatedKey, ciphertext };
}
