import { create } from "@bufbuild/protobuf";
import { decodeBody } from "@sallyport/evidence";
import {
  ListReadableSecretsRequestSchema,
  type ListReadableSecretsResponse,
  ListReadableSecretsResponseSchema,
  ReadableSecretSchema,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { Purpose } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { failureOf } from "@sallyport/rpc";
import type { Peers } from "./peers.ts";
import { type MachineRequest, authorize } from "./read.ts";

/** Names what the machine may read: the ids are policy's, the names those of secrets. */
export async function listReadableSecrets(
  request: MachineRequest,
  requestId: string,
  peers: Pick<Peers, "authorization" | "fetch">,
): Promise<ListReadableSecretsResponse> {
  const { projectId, pageToken } = decodeBody(ListReadableSecretsRequestSchema, request.signedRequest);
  const wanted = { projectId, pageToken, allGranted: projectId === "" };
  const decision = await authorize(request, wanted, Purpose.LIST, requestId, peers);
  const secretIds = decision.secrets.map((secret) => secret.secretId);
  if (secretIds.length === 0) return create(ListReadableSecretsResponseSchema);
  const { vaultId } = request.principal.claims;
  const described = await peers.fetch.describe({ vaultId, secretIds }).catch((error: unknown) => {
    throw failureOf(error);
  });
  const byId = new Map(described.secrets.map((secret) => [secret.secretId, secret]));
  const secrets = secretIds.flatMap((id) => {
    const secret = byId.get(id);
    if (!secret) return [];
    const { secretId, name, projectName, version, kind } = secret;
    return [create(ReadableSecretSchema, { secretId, name, projectId: secret.projectId, projectName, version, kind })];
  });
  return create(ListReadableSecretsResponseSchema, { secrets, nextPageToken: decision.nextPageToken });
}
