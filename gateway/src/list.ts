import { create } from "@bufbuild/protobuf";
import { decodeBody } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  ListReadableSecretsRequestSchema,
  type ListReadableSecretsResponse,
  ListReadableSecretsResponseSchema,
  ReadableSecretSchema,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { Purpose } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { peerFailure } from "./errors.ts";
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
  const { secrets: decisions, nextPageToken } = await authorize(
    request,
    wanted,
    Purpose.LIST,
    requestId,
    peers,
  );
  const readable = decisions.filter(({ refusal }) => refusal === Reason.UNSPECIFIED);
  const secretIds = readable.map(({ secretId }) => secretId);
  const secrets = secretIds.length === 0 ? [] : await describe(request, secretIds, peers);
  return create(ListReadableSecretsResponseSchema, { secrets, nextPageToken });
}

// In policy's order; what secrets does not know is left out.
async function describe(request: MachineRequest, secretIds: string[], peers: Pick<Peers, "fetch">) {
  const { vaultId } = request.principal.claims;
  const described = await peers.fetch.describe({ vaultId, secretIds }).catch((error: unknown) => {
    throw peerFailure(error);
  });
  const byId = new Map(described.secrets.map((secret) => [secret.secretId, secret]));
  return secretIds.flatMap((id) => {
    const secret = byId.get(id);
    if (!secret) return [];
    const { secretId, name, projectId, projectName, version, kind } = secret;
    return [create(ReadableSecretSchema, { secretId, name, projectId, projectName, version, kind })];
  });
}
