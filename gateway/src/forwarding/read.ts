import { create, fromBinary } from "@bufbuild/protobuf";
import { decodeBody } from "@sallyport/evidence";
import type { OpenedRequest } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type Permit,
  ReplyClaimsSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type ReadSecretsRequest,
  ReadSecretsRequestSchema,
  type ReadSecretsResponse,
  ReadSecretsResponseSchema,
  SecretResultSchema,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import {
  type AuthorizeResult,
  Purpose,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import type { FetchedSecret } from "@sallyport/proto/gen/sallyport/secrets/internal/v1/fetch_pb.ts";
import { fail, fromRefusal } from "@sallyport/rpc";
import { peerFailure } from "../errors/public-errors.ts";
import type { Peers } from "./peers.ts";
import type { VerifiedRequest } from "../verification/checklist.ts";

/** A verified request of a machine, which is the only kind of principal that reads. */
export type MachineRequest = VerifiedRequest & {
  readonly principal: NonNullable<VerifiedRequest["principal"]>;
};

type ReadPeers = Pick<Peers, "authorization" | "fetch" | "open">;

/** The read: policy and secrets in parallel when the request names its secrets, then crypto. */
export async function readSecrets(
  request: MachineRequest,
  requestId: string,
  peers: ReadPeers,
): Promise<ReadSecretsResponse> {
  const wanted = decodeBody(ReadSecretsRequestSchema, request.signedRequest);
  const fetch = (ids: string[]) => fetchEnvelopes(request, ids, wanted.version, peers);
  const early = wanted.secretIds.length > 0 ? fetch(wanted.secretIds) : undefined;
  early?.catch(() => undefined); // Awaited below, unless policy refuses first.
  const decision = await authorize(request, wanted, requestId, peers);
  const { permit } = decision;
  // There is one for nothing, too: crypto signs even that.
  if (!permit) throw broken("policy", "gave no permit");
  const allowed = decision.secrets.filter((secret) => secret.refusal === undefined);
  const allowedIds = allowed.map((secret) => secret.secretId);
  // Security: even a failure of the early fetch is about every secret named, so a refused one must
  // not take part.
  const whole = allowedIds.length === wanted.secretIds.length ? early : undefined;
  const fetched = await (whole ?? fetch(allowedIds));
  const secrets = allowedIds.map((id) => {
    const secret = fetched.get(id);
    if (!secret)
      throw fail(Reason.NOT_FOUND, { field: wanted.version === 0 ? "secret" : "version" });
    return secret;
  });
  return assemble(decision, await open(request, permit, secrets, peers));
}

/** Asks policy about one request; throws its refusal. */
async function authorize(
  { digest, principal, sourceIp, client }: MachineRequest,
  wanted: ReadSecretsRequest,
  requestId: string,
  peers: Pick<Peers, "authorization">,
): Promise<AuthorizeResult> {
  const item = {
    requestDigest: digest,
    vaultId: principal.claims.vaultId,
    machineId: principal.claims.principalId,
    sourceIp,
    client,
    purpose: Purpose.READ,
    secretIds: wanted.secretIds,
    projectId: wanted.projectId,
    allGranted: wanted.allGranted,
    requestedVersion: wanted.version,
    allOrNothing: wanted.allOrNothing,
    sealed: wanted.recipient !== undefined,
    pageToken: wanted.pageToken,
    requestId,
    claims: principal.claims,
  };
  const { results } = await peers.authorization.authorize({ items: [item] }).catch(rethrow);
  const result = resultFor(results, digest, "policy");
  if (result.refusal) throw fromRefusal(result.refusal);
  return result;
}

async function fetchEnvelopes(
  { digest, principal }: MachineRequest,
  secretIds: string[],
  requestedVersion: number,
  peers: Pick<Peers, "fetch">,
): Promise<Map<string, FetchedSecret>> {
  if (secretIds.length === 0) return new Map();
  const item = {
    requestDigest: digest,
    vaultId: principal.claims.vaultId,
    secretIds,
    requestedVersion,
  };
  const { results } = await peers.fetch.fetch({ items: [item] }).catch(rethrow);
  return new Map(
    resultFor(results, digest, "secrets").secrets.map((secret) => [secret.secretId, secret]),
  );
}

async function open(
  { digest, signedRequest, principal, sourceIp, client }: MachineRequest,
  permit: Permit,
  secrets: readonly FetchedSecret[],
  peers: Pick<Peers, "open">,
): Promise<OpenedRequest> {
  const { credential } = principal;
  const sealed = secrets.map(({ envelope, projectKey, slip }) => ({
    envelope,
    projectKey,
    ...(slip ? { slip } : {}),
  }));
  const item = {
    requestDigest: digest,
    signedRequest,
    credential,
    permit,
    secrets: sealed,
    sourceIp,
    client,
  };
  const { results } = await peers.open.open({ items: [item] }).catch(rethrow);
  const { outcome } = resultFor(results, digest, "crypto");
  if (outcome.case === "refusal") throw fromRefusal(outcome.value);
  if (outcome.case !== "opened") throw broken("crypto", "gave no outcome");
  return outcome.value;
}

// The reply is crypto's; the gateway only lays it out. The client verifies every part of it against
// the signature.
function assemble(decision: AuthorizeResult, opened: OpenedRequest): ReadSecretsResponse {
  const { reply, encapsulatedKey } = opened;
  if (!reply) throw broken("crypto", "signed nothing");
  const contents = new Map(opened.secrets.map((secret) => [secret.secretId, secret.content]));
  const projects = new Map(decision.secrets.map((secret) => [secret.secretId, secret.projectId]));
  const claims = fromBinary(ReplyClaimsSchema, reply.payload);
  const secrets = claims.secrets.map((claim) => {
    const { secretId, name, version, kind, refusal } = claim;
    if (refusal) return create(SecretResultSchema, { secretId, refusal });
    const projectId = projects.get(secretId) ?? "";
    const content = contents.get(secretId) ?? { case: undefined };
    return create(SecretResultSchema, { secretId, projectId, name, version, kind, content });
  });
  const { decisionId } = decision;
  const { nextPageToken } = claims;
  return create(ReadSecretsResponseSchema, {
    secrets,
    encapsulatedKey,
    reply,
    decisionId,
    nextPageToken,
  });
}

// Matched by digest, never by position.
function resultFor<R extends { requestDigest: Uint8Array }>(
  results: readonly R[],
  digest: Uint8Array,
  peer: string,
): R {
  const result = results.find(({ requestDigest }) => Buffer.compare(requestDigest, digest) === 0);
  if (!result) throw broken(peer, "did not answer this request");
  return result;
}

function broken(peer: string, fault: string): Error {
  return fail(Reason.INTERNAL, {}, new Error(`${peer} ${fault}`));
}

function rethrow(error: unknown): never {
  throw peerFailure(error);
}
