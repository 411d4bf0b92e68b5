import { createHash } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ServiceImpl,
  type Transport,
  createRouterTransport,
} from "@connectrpc/connect";
import { decodeBody, parseRequest } from "@sallyport/evidence";
import { projectRoleOf } from "@sallyport/roles";
import {
  AppendService,
  AppendStatus,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import {
  type ResealRequest,
  type SealRequest,
  SealService,
} from "@sallyport/proto/gen/sallyport/crypto/internal/v1/seal_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  AuthorizationService,
  type AuthorizeItem,
  type AuthorizeResultSchema,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import {
  DirectoryService,
  type RegisterResourcesRequest,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/directory_pb.ts";
import { RoleService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/role_pb.ts";
import { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import {
  AddVersionRequestSchema,
  CreateSecretRequestSchema,
} from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { fail, toConnectError } from "@sallyport/rpc";

/** What policy decides about an item. */
type Decided = Pick<
  Extract<MessageInitShape<typeof AuthorizeResultSchema>, { readonly $typeName?: never }>,
  "secrets" | "refusal" | "nextPageToken"
>;
type Place = { readonly vaultId: string; readonly projectId: string };

/**
 * Peers in memory that keep their contracts, and what they were asked. While one is down it answers
 * nothing.
 */
export type MemoryPeers = {
  readonly audit: Transport;
  readonly crypto: Transport;
  readonly policy: Transport;
  readonly events: Event[];
  readonly sealed: SealRequest[];
  readonly resealed: ResealRequest[];
  readonly registered: RegisterResourcesRequest[];
  /** Ids that policy hides, and what it was told of living and dying, in order. */
  readonly retired: Set<string>;
  readonly told: ("retire" | "reinstate" | "purge")[];
  /**
   * The roles that policy says developers have in projects; without one they list, as policy has
   * it.
   */
  readonly roles: Map<string, ProjectRole>;
  /** Where policy knows each project and secret to be. */
  readonly places: Map<string, Place>;
  readonly down: { audit: boolean; crypto: boolean; policy: boolean };
  /** What a peer waits for before it does anything. */
  readonly gate: { seal: Promise<void> | undefined; policy: Promise<void> | undefined };
  /** Policy does what it is asked and its answer gets lost. */
  readonly lost: { policy: boolean };
  /** What policy was asked to decide, and how it does. */
  readonly asked: AuthorizeItem[];
  decide: (item: AuthorizeItem) => Decided;
  /**
   * What crypto refuses a value with, and the id that policy refuses to reinstate, when not
   * undefined.
   */
  readonly refuse: { seal: Reason | undefined; reinstate: string | undefined };
};

/** Makes the peers. Crypto's envelope is a digest here: secrets must not care what is in it. */
export function createMemoryPeers(): MemoryPeers {
  const events: Event[] = [];
  const sealed: SealRequest[] = [];
  const resealed: ResealRequest[] = [];
  const registered: RegisterResourcesRequest[] = [];
  const asked: AuthorizeItem[] = [];
  const retired: MemoryPeers["retired"] = new Set();
  const purged = new Set<string>();
  const roles: MemoryPeers["roles"] = new Map();
  const places: MemoryPeers["places"] = new Map();
  const told: MemoryPeers["told"] = [];
  const lost = { policy: false };
  const gate: MemoryPeers["gate"] = { seal: undefined, policy: undefined };
  const down = { audit: false, crypto: false, policy: false };
  const refuse: MemoryPeers["refuse"] = { seal: undefined, reinstate: undefined };
  const audit = createRouterTransport(({ service }) => {
    service(AppendService, {
      append(request) {
        if (down.audit) throw away();
        const known = new Set(events.map(({ eventId }) => eventId));
        events.push(...request.events.filter(({ eventId }) => !known.has(eventId)));
        return {
          results: request.events.map(({ eventId }) => ({
            eventId,
            status: AppendStatus.COMMITTED,
          })),
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
      async seal(request) {
        await gate.seal;
        if (down.crypto) throw away();
        if (refuse.seal !== undefined)
          throw toConnectError(fail(refuse.seal, { field: "value" }), "req_x");
        sealed.push(request);
        return sealResponse(request);
      },
      async reseal(request) {
        await gate.seal;
        if (down.crypto) throw away();
        resealed.push(request);
        return resealResponse(request);
      },
    });
  });
  const policy = createRouterTransport(({ service }) => {
    service(AuthorizationService, {
      authorize({ items }) {
        if (down.policy) throw away();
        asked.push(...items);
        return {
          results: items.map((item) => ({ requestDigest: item.requestDigest, ...decided(item) })),
        };
      },
    });
    service(RoleService, roleService(roles, places, down));
    service(DirectoryService, {
      registerResources(request) {
        if (down.policy) throw away();
        registered.push(request);
        const { vaultId } = request;
        for (const id of request.projectIds) places.set(id, { vaultId, projectId: id });
        for (const { secretId, projectId } of request.secrets)
          places.set(secretId, { vaultId, projectId });
        return {};
      },
      async retireResources({ projectIds, secretIds, purged: forGood }) {
        await gate.policy;
        if (down.policy) throw away();
        for (const id of [...projectIds, ...secretIds]) retired.add(id);
        if (forGood) for (const id of [...projectIds, ...secretIds]) purged.add(id);
        told.push(forGood ? "purge" : "retire");
        if (lost.policy) throw away();
        return {};
      },
      async reinstateResources({ projectIds, secretIds }) {
        await gate.policy;
        if (down.policy) throw away();
        if ([...projectIds, ...secretIds].some((id) => purged.has(id) || id === refuse.reinstate))
          throw toConnectError(fail(Reason.NOT_FOUND, { field: "secret_ids" }), "req_x");
        for (const id of [...projectIds, ...secretIds]) retired.delete(id);
        told.push("reinstate");
        if (lost.policy) throw away();
        return {};
      },
    });
  });
  const decided = (item: AuthorizeItem) => peers.decide(item);
  const peers: MemoryPeers = {
    audit,
    crypto,
    policy,
    events,
    sealed,
    resealed,
    registered,
    retired,
    told,
    down,
    gate,
    lost,
    refuse,
    asked,
    decide: () => ({}),
    roles,
    places,
  };
  return peers;
}

/** The key of a developer's role in a project. */
export function roleKey(userId: string, projectId: string): string {
  return `${userId} ${projectId}`;
}

// What is in no vault is hidden from everybody, and what was registered knows its vault and
// project.
function roleService(
  roles: ReadonlyMap<string, ProjectRole>,
  places: ReadonlyMap<string, Place>,
  down: { readonly policy: boolean },
): ServiceImpl<typeof RoleService> {
  return {
    checkRoles({ vaultId, userId, role, projectIds, secretIds }) {
      if (down.policy) throw away();
      const roleIn = (id: string): ProjectRole => {
        const place = places.get(id);
        if (place?.vaultId !== vaultId) return ProjectRole.NONE;
        return projectRoleOf(role, roles.get(roleKey(userId, place.projectId)));
      };
      return { projectRoles: projectIds.map(roleIn), secretRoles: secretIds.map(roleIn) };
    },
    listRoles({ userId, role: inVault }) {
      if (down.policy) throw away();
      const own = [...roles].filter(([key]) => key.startsWith(`${userId} `));
      return {
        roles: own.map(([key, given]) => ({
          projectId: key.slice(userId.length + 1),
          role: projectRoleOf(inVault, given),
        })),
      };
    },
    endUser: () => ({}),
  };
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

function resealResponse({ signedRequest, projectKey, envelope: former }: ResealRequest) {
  if (!signedRequest) throw new Error("no evidence");
  const envelope = createHash("sha256").update(projectKey).update(former).digest();
  return { requestDigest: parseRequest(signedRequest).digest, envelope };
}

function away(): ConnectError {
  return new ConnectError("the peer is away", Code.Unavailable);
}

/** Has the peers forget what they were asked, and answer again. */
export function resetPeers(peers: MemoryPeers): void {
  const { events, sealed, resealed, registered, told, asked, down, gate, lost, refuse } = peers;
  for (const list of [events, sealed, resealed, registered, told, asked]) list.length = 0;
  peers.decide = () => ({});
  Object.assign(down, { audit: false, crypto: false, policy: false });
  Object.assign(gate, { seal: undefined, policy: undefined });
  lost.policy = false;
  Object.assign(refuse, { seal: undefined, reinstate: undefined });
}
