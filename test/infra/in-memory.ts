import {
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
  fromBinary,
} from "@bufbuild/protobuf";
import {
  type Client,
  type Interceptor,
  type Transport,
  createRouterTransport,
} from "@connectrpc/connect";
import type { UniversalHandler, UniversalHandlerFn } from "@connectrpc/connect/protocol";
import type { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import {
  type Peer,
  type Route,
  failureOf,
  fromRefusal,
  peerValues,
  toConnectError,
} from "@sallyport/rpc";
import type { SigningUser, createSignedDeployment } from "./signed-deployment.ts";

/** A peer's transport to routes without a network; errors cross it as they cross the real one. */
export function inMemory(routes: readonly Route[], peer: Peer = "gateway"): Transport {
  const boundary: Interceptor = (next) => async (request) => {
    try {
      return await next(request);
    } catch (error) {
      throw toConnectError(failureOf(error), "req_00000000000000000000");
    }
  };
  return createRouterTransport(
    (router) => {
      for (const { register } of routes) register(router);
      const called = router.handlers.map((handler) => calledBy(peer, handler));
      router.handlers.splice(0, Infinity, ...called);
    },
    { router: { interceptors: [boundary] } },
  );
}

function calledBy(peer: Peer, handler: UniversalHandler): UniversalHandler {
  const called: UniversalHandlerFn = (request) =>
    handler({ ...request, contextValues: peerValues(peer) });
  return Object.assign(called, handler);
}

/** Calls a public method as a user; rejects with the Failure of a refusal. */
export type CallAsUser = <M extends DescMethodUnary>(
  user: SigningUser,
  method: M,
  request: MessageInitShape<M["input"]>,
) => Promise<MessageShape<M["output"]>>;

/** Makes calls of public methods that reach their owning service as a gateway forwards them. */
export function callsForwarded(
  { forwardRequest }: Pick<ReturnType<typeof createSignedDeployment>, "forwardRequest">,
  forwarding: Pick<Client<typeof ForwardService>, "forward">,
): CallAsUser {
  return async <M extends DescMethodUnary>(
    user: SigningUser,
    method: M,
    request: MessageInitShape<M["input"]>,
  ) => {
    const forwarded = forwardRequest(user, method, request);
    const { result } = await forwarding.forward(forwarded).catch((error: unknown) => {
      throw failureOf(error);
    });
    if (result.case === "refusal") throw fromRefusal(result.value);
    return fromBinary<M["output"]>(method.output, result.value ?? new Uint8Array());
  };
}
