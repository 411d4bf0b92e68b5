import { type DescMethod, type DescMethodUnary, create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type ConnectRouter,
  type HandlerContext,
  type Interceptor,
  createConnectRouter,
} from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { decodeBody } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type Keyset,
  PrincipalKind,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  GetKeysetRequestSchema,
  GetKeysetResponseSchema,
  ReadService,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { fail, inCall } from "@sallyport/rpc";
import { withinClientsTime } from "../listener/client-deadline.ts";
import { publicFailureOf, toPublicError } from "../errors/public-errors.ts";
import { forward } from "./forward.ts";
import type { AccessLog } from "../observability/access-log.ts";
import type { Peers } from "./peers.ts";
import { type MachineRequest, readSecrets } from "./read.ts";
import { methodPath } from "@sallyport/proto/names/method-path";
import { type Owner, forwarded, forwardedRead } from "./routes.ts";
import { keepAnswer, verbatim } from "./verbatim.ts";
import { verdictOf } from "../admission/verdict.ts";
import type { VerifiedRequest } from "../verification/checklist.ts";

/**
 * The dependencies of the router: the peers, the keyset to hand out, and the clock in milliseconds.
 */
export type RouterParts = {
  readonly peers: Peers;
  readonly trust: { readonly keyset: Keyset };
  readonly clock: () => number;
};

/**
 * Returns the public services as handlers by path. The only interceptor throws the refusal of the
 * authentication, so that it is answered in the client's protocol and no handler runs on a refused
 * request; it translates every error, and runs handlers as part of the call, so that their calls to
 * peers carry its id and end within 5 seconds. A client with less time is answered sooner, and its
 * work goes on in its slot. Handlers take the verified request from the verdict and ignore the
 * message that the router decoded, which is empty: see `toUniversal` in request-handler.ts.
 */
export function createPublicHandlers(
  parts: RouterParts,
  onOutcome: AccessLog,
): ReadonlyMap<string, UniversalHandler> {
  const refuseOrRun: Interceptor = (next) => async (request) => {
    const verdict = verdictOf(request.contextValues);
    const rpc = methodPath(request.method);
    try {
      if (verdict.kind === "refused") throw verdict.error;
      const { requestId, timeoutMs, slot } = verdict;
      const work = slot.run(() => inCall({ requestId }, () => next(request)));
      const response = await withinClientsTime(work, timeoutMs);
      onOutcome(rpc, verdict);
      return response;
    } catch (error) {
      const failure = publicFailureOf(error);
      onOutcome(rpc, verdict, failure);
      throw toPublicError(failure, verdict.requestId);
    }
  };
  const router = createConnectRouter({
    interceptors: [refuseOrRun],
    acceptCompression: [],
    grpcWeb: false,
  });
  addRead(router, parts);
  addForwarded(router, parts.peers);
  return new Map(router.handlers.map((handler) => [handler.requestPath, verbatim(handler)]));
}

function verifiedOf({ values }: HandlerContext): { request: VerifiedRequest; requestId: string } {
  const verdict = verdictOf(values);
  if (verdict.kind === "refused") throw verdict.error;
  return verdict;
}

function machineOf(context: HandlerContext): { request: MachineRequest; requestId: string } {
  const { request, requestId } = verifiedOf(context);
  const { principal } = request;
  if (principal?.claims.kind !== PrincipalKind.MACHINE) throw fail(Reason.ROLE_REQUIRED);
  return { request: { ...request, principal }, requestId };
}

function addRead(router: ConnectRouter, { peers, trust, clock }: RouterParts): void {
  router.service(ReadService, {
    async readSecrets(_, context) {
      const { request, requestId } = machineOf(context);
      return readSecrets(request, requestId, peers);
    },
    async listReadableSecrets(_, context) {
      await forwardAsSigned(forwardedRead.owner, context, peers);
      return {};
    },
    getKeyset(_, context) {
      decodeBody(GetKeysetRequestSchema, verifiedOf(context).request.signedRequest);
      return create(GetKeysetResponseSchema, {
        keyset: trust.keyset,
        serverTime: timestampFromMs(clock()),
      });
    },
  });
}

function addForwarded(router: ConnectRouter, peers: Peers): void {
  for (const { service, owner } of forwarded) {
    for (const method of service.methods) {
      if (!isUnary(method))
        throw new Error(`${methodPath(method)} is not unary: only unary is signed`);
      router.rpc(method, async (_, context) => {
        await forwardAsSigned(owner, context, peers);
        return create(method.output);
      });
    }
  }
}

// The router encodes an empty message for these methods; the owner's own bytes replace it.
async function forwardAsSigned(owner: Owner, context: HandlerContext, peers: Peers): Promise<void> {
  const { request, requestId } = verifiedOf(context);
  keepAnswer(context.values, await forward(owner, request, requestId, peers));
}

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}
