import { createHash } from "node:crypto";
import {
  Code,
  ConnectError,
  type Interceptor,
  type Transport,
  createRouterTransport,
} from "@connectrpc/connect";
import { decodeBody, parseRequest } from "@sallyport/evidence";
import {
  AppendService,
  AppendStatus,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { type SealRequest, SealService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/seal_pb.ts";
import type { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  DirectoryService,
  type RegisterResourcesRequest,
  type ReinstateResourcesRequest,
  type RetireResourcesRequest,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/directory_pb.ts";
import {
  AddVersionRequestSchema,
  CreateSecretRequestSchema,
} from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { type Route, fail, failureOf, toConnectError } from "@sallyport/rpc";

/** Peers in memory that keep their contracts, and what they were asked. While one is down it answers nothing. */
export type MemoryPeers = {
  readonly audit: Transport;
  readonly crypto: Transport;
  readonly policy: Transport;
  readonly events: Event[];
  readonly sealed: SealRequest[];
  readonly registered: RegisterResourcesRequest[];
  readonly retired: RetireResourcesRequest[];
  readonly reinstated: ReinstateResourcesRequest[];
  readonly down: { audit: boolean; crypto: boolean; policy: boolean };
  /** What crypto refuses a value with, when not undefined. */
  readonly refuse: { seal: Reason | undefined };
};

/** Makes the peers. Crypto's envelope is a digest here: secrets must not care what is in it. */
export function createMemoryPeers(): MemoryPeers {
  const events: Event[] = [];
  const sealed: SealRequest[] = [];
  const registered: RegisterResourcesRequest[] = [];
  const retired: RetireResourcesRequest[] = [];
  const reinstated: ReinstateResourcesRequest[] = [];
  const down = { audit: false, crypto: false, policy: false };
  const refuse: MemoryPeers["refuse"] = { seal: undefined };
  const audit = createRouterTransport(({ service }) => {
    service(AppendService, {
      append(request) {
        if (down.audit) throw away();
        const known = new Set(events.map(({ eventId }) => eventId));
        events.push(...request.events.filter(({ eventId }) => !known.has(eventId)));
        return {
          results: request.events.map(({ eventId }) => ({ eventId, status: AppendStatus.COMMITTED })),
        };
      },
    });
  });
  const crypto = createRouterTransport(({ service }) => {
    service(SealService, {
      newProjectKey({ projectId, generation }) {
        if (down.crypto) throw away();
        return { projectKey: new TextEncoder().encode(`key ${projectId} ${generation}`) };
      },
      seal(request) {
        if (down.crypto) throw away();
        if (refuse.seal !== undefined) throw toConnectError(fail(refuse.seal, { field: "value" }), "req_x");
        sealed.push(request);
        return sealResponse(request);
      },
    });
  });
  const policy = createRouterTransport(({ service }) => {
    service(DirectoryService, {
      registerResources(request) {
        if (down.policy) throw away();
        registered.push(request);
        return {};
      },
      retireResources(request) {
        if (down.policy) throw away();
        retired.push(request);
        return {};
      },
      reinstateResources(request) {
        if (down.policy) throw away();
        reinstated.push(request);
        return {};
      },
    });
  });
  return { audit, crypto, policy, events, sealed, registered, retired, reinstated, down, refuse };
}

function sealResponse({ signedRequest, projectKey }: SealRequest) {
  if (!signedRequest) throw new Error("no evidence");
  const schema = signedRequest.path.endsWith("/CreateSecret")
    ? CreateSecretRequestSchema
    : AddVersionRequestSchema;
  const { value } = decodeBody<typeof CreateSecretRequestSchema | typeof AddVersionRequestSchema>(
    schema,
    signedRequest,
  );
  const envelope = createHash("sha256").update(projectKey).update(signedRequest.body).digest();
  const kind = value?.kind ?? ValueKind.UNSPECIFIED;
  const fieldNames = kind === ValueKind.FIELDS ? ["password", "user"] : [];
  return { requestDigest: parseRequest(signedRequest).digest, envelope, kind, fieldNames };
}

function away(): ConnectError {
  return new ConnectError("the peer is away", Code.Unavailable);
}

/** A way to routes without a network; errors cross it as they cross the real one. */
export function inMemory(routes: readonly Route[]): Transport {
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
    },
    { router: { interceptors: [boundary] } },
  );
}
