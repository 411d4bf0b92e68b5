import { createHash } from "node:crypto";
import { type DescMessage, type MessageInitShape, create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type MacKey, sealPermit, sealSlip } from "@sallyport/evidence";
import {
  type OpenItem,
  OpenItemSchema,
  type SealedSecret,
  SealedSecretSchema,
} from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import {
  type PermitClaimsSchema,
  type SlipClaimsSchema,
  ValueKind,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type ReadSecretsRequest,
  ReadSecretsRequestSchema,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { createFileKek, newKey } from "@sallyport/proto/keyring";
import { type PlaintextKind, sealEnvelope } from "../envelope.ts";
import { wrapProjectKey } from "../project-key.ts";
import { type TestDeployment, nowMs } from "./deployment.ts";
import { type RequestPlan, type TestRequest, machineCredential, signRequest } from "./signing.ts";

/** A stored version, as secrets would have it. */
export type StoredSecret = {
  readonly secretId: string;
  readonly name: string;
  readonly version: number;
  readonly plaintext: Uint8Array;
  readonly envelope: Uint8Array;
  readonly projectKey: Uint8Array;
};

/** Stores a value: a project key of its own, an envelope under it. */
export async function storeSecret(
  { kek, vaultId, projectId }: TestDeployment,
  name: string,
  value: string | Uint8Array = `the value of ${name}`,
  kind: PlaintextKind = ValueKind.SINGLE,
): Promise<StoredSecret> {
  const plaintext = Buffer.from(value);
  const secretId = newId("sec");
  const projectKey = { generation: 1, key: newKey() };
  const envelope = sealEnvelope(
    plaintext,
    kind,
    { vaultId, projectId, secretId, version: 3 },
    projectKey,
  );
  const wrapped = await wrapProjectKey(createFileKek(kek), { vaultId, projectId }, projectKey);
  return { secretId, name, version: 3, plaintext, envelope, projectKey: wrapped };
}

type Init<D extends DescMessage> = Omit<MessageInitShape<D>, "$typeName" | "$unknown">;
type PermitInit = Init<typeof PermitClaimsSchema>;
type SlipInit = Init<typeof SlipClaimsSchema>;
type AskedInit = Init<typeof ReadSecretsRequestSchema>;

/**
 * What differs from a valid read. Everything after the change is made as its maker would: signed,
 * sealed, hashed.
 */
export type ReadPlan = {
  readonly asked?: AskedInit;
  readonly request?: Partial<RequestPlan>;
  readonly credential?: Parameters<typeof machineCredential>[1];
  readonly issuer?: TestDeployment["identity"];
  readonly permit?: PermitInit;
  readonly permitKeys?: readonly MacKey[];
  readonly slip?: SlipInit;
  readonly slipKeys?: readonly MacKey[];
  /** Changes the finished item, unnoticed by any maker. */
  readonly item?: (item: OpenItem) => void;
};

/**
 * Makes an item for Open: these secrets read by the machine, with the evidence of every process.
 */
export function planRead(
  deployment: TestDeployment,
  stored: readonly StoredSecret[],
  plan: ReadPlan = {},
): OpenItem {
  const asked = create(ReadSecretsRequestSchema, {
    secretIds: stored.map(({ secretId }) => secretId),
    ...plan.asked,
  });
  const { id, seed } = deployment.machine;
  const request = signRequest({
    path: "/sallyport.gateway.v1.ReadService/ReadSecrets",
    body: toBinary(ReadSecretsRequestSchema, asked),
    signer: { keyId: id, seed },
    ...plan.request,
  });
  const item = create(OpenItemSchema, {
    requestDigest: request.digest,
    signedRequest: request.signedRequest,
    credential: machineCredential(deployment, plan.credential, plan.issuer),
    permit: sealPermit(
      { ...permitClaims(deployment, stored, request, asked), ...plan.permit },
      plan.permitKeys ?? deployment.keyring.permit,
    ),
    secrets: stored.map((secret) => sealedSecret(deployment, secret, request, plan)),
    sourceIp: "192.0.2.7",
    client: "sallyport-cli/0.1.0",
  });
  plan.item?.(item);
  return item;
}

function permitClaims(
  { machine, vaultId, projectId }: TestDeployment,
  stored: readonly StoredSecret[],
  { digest }: TestRequest,
  { projectId: target, allGranted, pageToken }: ReadSecretsRequest,
): PermitInit {
  return {
    machineId: machine.id,
    vaultId,
    requestDigest: digest,
    secrets: stored.map(({ secretId }) => ({ secretId, projectId })),
    decisionId: newId("dec"),
    policyVersion: 4,
    expiresAt: timestampFromMs(nowMs + 9_000),
    projectId: target,
    allGranted,
    pageToken,
  };
}

function sealedSecret(
  deployment: TestDeployment,
  secret: StoredSecret,
  { digest }: TestRequest,
  plan: ReadPlan,
): SealedSecret {
  const { secretId, name, version, envelope, projectKey } = secret;
  const { vaultId, projectId } = deployment;
  const claims: SlipInit = {
    vaultId,
    projectId,
    secretId,
    name,
    version,
    envelopeSha256: createHash("sha256").update(envelope).digest(),
    requestDigest: digest,
    expiresAt: timestampFromMs(nowMs + 9_000),
  };
  const slip = sealSlip({ ...claims, ...plan.slip }, plan.slipKeys ?? deployment.keyring.slip);
  return create(SealedSecretSchema, { envelope, projectKey, slip });
}
