import { type DescMethodUnary, type Message, fromBinary } from "@bufbuild/protobuf";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail, fromRefusal } from "@sallyport/rpc";
import { peerFailure } from "./errors.ts";
import type { Peers } from "./peers.ts";
import type { Owner } from "./routes.ts";
import type { VerifiedRequest } from "./verify/checklist.ts";

/**
 * Hands a verified request to the service that owns the method and decodes its answer, so that the router can encode
 * it for the client's protocol. Throws the owner's refusal.
 */
export async function forward(
  method: DescMethodUnary,
  owner: Owner,
  { signedRequest, digest, principal, sourceIp, client }: VerifiedRequest,
  requestId: string,
  peers: Pick<Peers, "owners">,
): Promise<Message> {
  const credential = principal ? { credential: principal.credential } : {};
  const request = { signedRequest, ...credential, sourceIp, client, requestId };
  const answer = await peers.owners[owner].forward(request).catch((error: unknown) => {
    throw peerFailure(error);
  });
  if (Buffer.compare(answer.requestDigest, digest) !== 0) {
    throw fail(Reason.INTERNAL, {}, new Error(`${owner} answered another request`));
  }
  if (answer.result.case === "refusal") throw fromRefusal(answer.result.value);
  if (answer.result.case !== "response")
    throw fail(Reason.INTERNAL, {}, new Error(`${owner} gave no result`));
  return fromBinary(method.output, answer.result.value);
}
