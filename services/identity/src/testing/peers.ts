import { type Transport, createRouterTransport } from "@connectrpc/connect";
import {
  AppendService,
  AppendStatus,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { RoleService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/role_pb.ts";
import { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { projectRoleOf } from "@sallyport/roles";
import {
  PrincipalStatus,
  ScopeService,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { fail, toConnectError } from "@sallyport/rpc";

/** A stand-in for policy that keeps the contract of ScopeService in memory. */
export type PolicyPeer = {
  readonly transport: Transport;
  /** The existing projects by id, and secrets by id with their projects. */
  readonly projects: Set<string>;
  readonly secrets: Map<string, string>;
  /** The vaults of projects; one that is not here is in every vault. */
  readonly vaults: Map<string, string>;
  /** Machines whose scope was applied, with their status. */
  readonly principals: Map<string, PrincipalStatus>;
  /** Users that policy refuses permanently. */
  readonly ended: Set<string>;
  /** Roles of developers in projects by "user project"; without one a developer lists. */
  readonly roles: Map<string, ProjectRole>;
  /** The roles of those who made the tokens that machines were given their scope by. */
  readonly makers: Map<string, Role>;
  /** Machines that may read versions other than the current one. */
  readonly anyVersion: Set<string>;
  /** Names of the calls that were carried out, in order. */
  readonly calls: string[];
  /** While set, calls of that name find policy away. */
  away:
    | ""
    | "endUser"
    | "listRoles"
    | "validateScope"
    | "applyScope"
    | "setPrincipalStatus"
    | "revokePrincipals";
  /** Runs before a scope is applied. */
  beforeApply: () => Promise<void>;
  /** Runs before the status of a machine that policy knows is set. */
  beforeStatus: (status: PrincipalStatus) => Promise<void>;
};

/** A stand-in for audit that keeps the contract of AppendService in memory. */
export type AuditPeer = {
  readonly transport: Transport;
  readonly events: Event[];
  /** The events of one action about one subject, in order. */
  recordsOf(action: string, subjectId: string): Event[];
  away: boolean;
  /** Runs before events are taken. */
  beforeAppend: (events: readonly Event[]) => Promise<void>;
};

/** Makes the stand-in for policy. */
export function createPolicyPeer(): PolicyPeer {
  const peer: Omit<PolicyPeer, "transport"> = {
    projects: new Set(),
    secrets: new Map(),
    vaults: new Map(),
    principals: new Map(),
    ended: new Set(),
    roles: new Map(),
    makers: new Map(),
    anyVersion: new Set(),
    calls: [],
    away: "",
    beforeApply: () => Promise.resolve(),
    beforeStatus: () => Promise.resolve(),
  };
  const begin = (name: PolicyPeer["away"]): void => {
    if (self.away === name) throw refused(Reason.DEPENDENCY_UNAVAILABLE);
    self.calls.push(name);
  };
  const transport = createRouterTransport((router) => {
    router.service(RoleService, {
      listRoles({ userId, role: inVault }) {
        begin("listRoles");
        if (self.ended.has(userId)) throw refused(Reason.MACHINE_DISABLED);
        const own = [...self.roles].filter(([key]) => key.startsWith(`${userId} `));
        return {
          roles: own.map(([key, given]) => ({
            projectId: key.slice(userId.length + 1),
            role: projectRoleOf(inVault, given),
          })),
        };
      },
      endUser({ userId }) {
        begin("endUser");
        self.ended.add(userId);
        return {};
      },
    });
    router.service(ScopeService, {
      validateScope({ vaultId, userId, role, projectIds, secretIds }) {
        begin("validateScope");
        if (self.ended.has(userId)) throw refused(Reason.MACHINE_DISABLED);
        const roleIn = (id: string) => projectRoleOf(role, self.roles.get(`${userId} ${id}`));
        const isOurs = (id: string) => (self.vaults.get(id) ?? vaultId) === vaultId;
        if (!projectIds.every((id) => self.projects.has(id) && isOurs(id)))
          throw refused(Reason.NOT_FOUND);
        const known = secretIds.every((id) => projectIds.includes(self.secrets.get(id) ?? ""));
        if (!known || projectIds.some((id) => roleIn(id) === ProjectRole.NONE))
          throw refused(Reason.NOT_FOUND);
        return { projectRoles: projectIds.map(roleIn) };
      },
      async applyScope({ machineId, anyVersion, createdByRole }) {
        begin("applyScope");
        await self.beforeApply();
        self.makers.set(machineId, createdByRole);
        if (anyVersion) self.anyVersion.add(machineId);
        if (!self.principals.has(machineId)) self.principals.set(machineId, PrincipalStatus.ACTIVE);
        return {};
      },
      async setPrincipalStatus({ machineId, status }) {
        begin("setPrincipalStatus");
        if (!self.principals.has(machineId)) throw refused(Reason.NOT_FOUND);
        await self.beforeStatus(status);
        self.principals.set(machineId, status);
        return {};
      },
      revokePrincipals({ machineIds, status }) {
        begin("revokePrincipals");
        for (const machineId of machineIds)
          if (self.principals.has(machineId)) self.principals.set(machineId, status);
        return {};
      },
    });
  });
  const self: PolicyPeer = Object.assign(peer, { transport });
  return self;
}

/** Makes the stand-in for audit. */
export function createAuditPeer(): AuditPeer {
  const events: Event[] = [];
  const known = new Set<string>();
  const transport = createRouterTransport((router) => {
    router.service(AppendService, {
      async append(request) {
        await self.beforeAppend(request.events);
        if (self.away) throw refused(Reason.DEPENDENCY_UNAVAILABLE);
        for (const event of request.events) {
          if (!known.has(event.eventId)) events.push(event);
          known.add(event.eventId);
        }
        return {
          results: request.events.map(({ eventId }) => ({
            eventId,
            status: AppendStatus.COMMITTED,
          })),
        };
      },
    });
  });
  const self: AuditPeer = {
    transport,
    events,
    recordsOf: (action, subjectId) =>
      events.filter((event) => event.action === action && event.subjectId === subjectId),
    away: false,
    beforeAppend: () => Promise.resolve(),
  };
  return self;
}

function refused(reason: Reason) {
  return toConnectError(fail(reason), newId("req"));
}
