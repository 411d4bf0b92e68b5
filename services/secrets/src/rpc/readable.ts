import type { Principal } from "@sallyport/evidence";
import { type ForwardContext, type ForwardMethods, forwardMethod } from "@sallyport/forward";
import type { Tx } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type ListReadableSecretsRequest,
  ReadService,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import {
  type AuthorizeResult,
  Purpose,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { fail, failureOf, fromRefusal } from "@sallyport/rpc";
import type { Peers } from "../peers.ts";
import { describeSecrets } from "../store/envelopes.ts";

/**
 * The dependencies of the listing: the names that secrets has, and policy to ask which a machine
 * may read.
 */
export type ReadableParts = { readonly database: Tx; readonly peers: Pick<Peers, "authorization"> };

/** ListReadableSecrets: the ids and their order are policy's word, the names our own. */
export function readableMethods({ database, peers }: ReadableParts): ForwardMethods {
  return forwardMethod(ReadService.method.listReadableSecrets, async (context, request) => {
    const { secrets: decisions, nextPageToken } = await askPolicy(context, request, peers);
    const readable = decisions.filter(({ refusal }) => refusal === undefined);
    const secretIds = readable.map(({ secretId }) => secretId);
    const known =
      secretIds.length === 0
        ? []
        : await describeSecrets(database, machineOf(context).vaultId, secretIds);
    const byId = new Map(known.map((secret) => [secret.secretId, secret]));
    const secrets = secretIds.flatMap((id) => byId.get(id) ?? []);
    return { secrets, nextPageToken };
  });
}

async function askPolicy(
  context: ForwardContext,
  { projectId, pageToken }: ListReadableSecretsRequest,
  { authorization }: ReadableParts["peers"],
): Promise<AuthorizeResult> {
  const { id: machineId, vaultId } = machineOf(context);
  const { requestDigest, sourceIp, client, requestId } = context;
  const item = {
    requestDigest,
    vaultId,
    machineId,
    sourceIp,
    client,
    requestId,
    purpose: Purpose.LIST,
    projectId,
    allGranted: projectId === "",
    pageToken,
  };
  const { results } = await authorization.authorize({ items: [item] }).catch((error: unknown) => {
    throw failureOf(error);
  });
  const result = results.find((found) => Buffer.compare(found.requestDigest, requestDigest) === 0);
  if (!result) throw fail(Reason.INTERNAL, {}, new Error("policy did not answer this request"));
  if (result.refusal) throw fromRefusal(result.refusal);
  return result;
}

// The role table admits only machines to this method.
function machineOf({ principal }: ForwardContext): Principal {
  if (!principal) throw fail(Reason.ROLE_REQUIRED);
  return principal;
}
