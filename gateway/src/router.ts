import { type DescMethod, type DescMethodUnary, type Message, create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type ConnectRouter,
  type ContextValues,
  type HandlerContext,
  type Interceptor,
  createConnectRouter,
  createContextKey,
  createContextValues,
} from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { mayCall } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { type Keyset, PrincipalKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { GetKeysetResponseSchema, ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { fail } from "@sallyport/rpc";
import { toPublicError } from "./errors.ts";
import { forward } from "./forward.ts";
import { listReadableSecrets } from "./list.ts";
import type { Peers } from "./peers.ts";
import { type MachineRequest, readSecrets } from "./read.ts";
import { forwarded, pathOf } from "./routes.ts";
import type { VerifiedRequest } from "./verify/checklist.ts";

/** What the front of the gateway found: a verified request, or the error for which the router must refuse. */
export type Verdict = { readonly requestId: string } & (
  | { readonly kind: "verified"; readonly request: VerifiedRequest }
  | { readonly kind: "refused"; readonly error: unknown }
);

const noVerdict: Verdict = { kind: "refused", requestId: "", error: new Error("no verdict was given") };
const verdictKey = createContextKey<Verdict>(noVerdict, { description: "the verdict of the front" });

/** Context values that carry the verdict to the router. */
export function verdictValues(verdict: Verdict): ContextValues {
  return createContextValues().set(verdictKey, verdict);
}

/** Told of everything that is refused behind the front, before it is translated. */
export type RefusalListener = (error: unknown, requestId: string) => void;

/**
 * The public services as handlers by path. The first interceptor throws the front's refusal, so that it speaks the
 * client's protocol, and translates every error; no handler runs on a refused request.
 */
export function createPublicHandlers(
  parts: { readonly peers: Peers; readonly keyset: Keyset; readonly clock: () => number },
  onRefusal: RefusalListener,
): ReadonlyMap<string, UniversalHandler> {
  const refuseOrRun: Interceptor = (next) => async (request) => {
    const verdict = request.contextValues.get(verdictKey);
    try {
      if (verdict.kind === "refused") throw verdict.error;
      requireAccess(pathOf(request.method), verdict.request);
      return await next(request);
    } catch (error) {
      onRefusal(error, verdict.requestId);
      throw toPublicError(error, verdict.requestId);
    }
  };
  const router = createConnectRouter({ interceptors: [refuseOrRun], acceptCompression: [], grpcWeb: false });
  addRead(router, parts);
  addForwarded(router, parts.peers);
  return new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
}

function verifiedOf(context: HandlerContext): { request: VerifiedRequest; requestId: string } {
  const verdict = context.values.get(verdictKey);
  if (verdict.kind === "refused") throw verdict.error;
  return verdict;
}

function machineOf(context: HandlerContext): { request: MachineRequest; requestId: string } {
  const { request, requestId } = verifiedOf(context);
  const { principal } = request;
  if (principal?.claims.kind !== PrincipalKind.MACHINE) throw fail(Reason.ROLE_REQUIRED);
  return { request: { ...request, principal }, requestId };
}

function requireAccess(path: string, { principal }: VerifiedRequest): void {
  const { kind, role } = principal?.claims ?? {};
  const caller = kind === undefined || role === undefined ? undefined : { kind, role };
  if (!mayCall(path, caller)) throw fail(Reason.ROLE_REQUIRED);
}

function addRead(
  router: ConnectRouter,
  { peers, keyset, clock }: { readonly peers: Peers; readonly keyset: Keyset; readonly clock: () => number },
): void {
  router.service(ReadService, {
    async readSecrets(_, context) {
      const { request, requestId } = machineOf(context);
      return readSecrets(request, requestId, peers);
    },
    async listReadableSecrets(_, context) {
      const { request, requestId } = machineOf(context);
      return listReadableSecrets(request, requestId, peers);
    },
    getKeyset: () => create(GetKeysetResponseSchema, { keyset, serverTime: timestampFromMs(clock()) }),
  });
}

function addForwarded(router: ConnectRouter, peers: Peers): void {
  for (const { service, owner } of forwarded) {
    for (const method of service.methods) {
      if (!isUnary(method)) throw new Error(`${pathOf(method)} is not unary: only unary is signed`);
      router.rpc(method, (_: Message, context: HandlerContext) => {
        const { request, requestId } = verifiedOf(context);
        return forward(method, owner, request, requestId, peers);
      });
    }
  }
}

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}
