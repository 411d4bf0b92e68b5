import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { SignedAnswer } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { fail } from "@sallyport/rpc";
import { SignedRefusal, peerFailure } from "../errors/public-errors.ts";
import type { Peers } from "./peers.ts";
import type { Owner } from "./routes.ts";
import type { VerifiedRequest } from "../verification/checklist.ts";

/**
 * An owner's answer as the client must get it: the message in the encoding of its request, and the
 * signature.
 */
export type OwnersAnswer = { readonly message: Uint8Array; readonly answer: SignedAnswer };

/**
 * Hands a verified request to the service that owns the method. Throws the owner's refusal with its
 * signature.
 */
export async function forward(
  owner: Owner,
  { signedRequest, digest, principal, sourceIp, client }: VerifiedRequest,
  requestId: string,
  peers: Pick<Peers, "owners">,
): Promise<OwnersAnswer> {
  const credential = principal ? { credential: principal.credential } : {};
  const request = { signedRequest, ...credential, sourceIp, client, requestId };
  const { requestDigest, result, answer } = await peers.owners[owner]
    .forward(request)
    .catch((error: unknown) => {
      throw peerFailure(error);
    });
  if (Buffer.compare(requestDigest, digest) !== 0) throw broken(owner, "answered another request");
  if (!answer) throw broken(owner, "did not sign its answer");
  if (result.case === "refusal") throw new SignedRefusal(result.value, answer);
  if (result.case !== "response") throw broken(owner, "gave no result");
  return { message: result.value, answer };
}

function broken(owner: Owner, fault: string): Error {
  return fail(Reason.INTERNAL, {}, new Error(`${owner} ${fault}`));
}
