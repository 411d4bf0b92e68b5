import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { PrincipalStatus } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { MembershipService } from "@sallyport/proto/gen/sallyport/policy/v1/membership_pb.ts";
import { SealingService } from "@sallyport/proto/gen/sallyport/policy/v1/sealing_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { newUser } from "@sallyport/test/infra";
import { type Operation, lifetime } from "./model.ts";
import { type TestPolicy, testStartMs } from "./policy.ts";

/** How many there are of each in a world. */
export const size = { machines: 3, projects: 2, secrets: 4 };

/** A vault with the ids of what the model numbers, and a secret of another vault. */
export type World = Awaited<ReturnType<typeof newWorld>>;

/** Makes a world: projects and secrets are known to policy, machines are not yet. */
export async function newWorld({ directory }: TestPolicy) {
  const world = {
    vaultId: newId("vlt"),
    tokenId: newId("tok"),
    m: Array.from({ length: size.machines }, () => newId("mch")),
    p: Array.from({ length: size.projects }, () => newId("prj")),
    s: Array.from({ length: size.secrets }, () => newId("sec")),
    foreign: newId("sec"),
  };
  const secrets = world.s.map((secretId, index) => ({
    secretId,
    projectId: at(world.p, index % 2),
  }));
  await directory.registerResources({ vaultId: world.vaultId, projectIds: world.p, secrets });
  const projectId = newId("prj");
  const elsewhere = { projectIds: [projectId], secrets: [{ secretId: world.foreign, projectId }] };
  await directory.registerResources({ vaultId: newId("vlt"), ...elsewhere });
  return { ...world, owner: newUser(world.vaultId) };
}

/** Has policy do an operation; rejects when it refuses. */
export async function carryOut(policy: TestPolicy, world: World, op: Operation): Promise<void> {
  if (op.do === "wait") policy.time.nowMs += op.minutes * 60_000;
  else await (isInternal(op) ? callInternal(policy, world, op) : callPublic(policy, world, op));
}

type Internal = Extract<
  Operation,
  { do: "enroll" } | { do: "stand" } | { do: "end" } | { do: "retire" | "purge" | "reinstate" }
>;
type Public = Exclude<Operation, Internal | { do: "wait" }>;

function isInternal(op: Internal | Public): op is Internal {
  return ["enroll", "stand", "end", "retire", "purge", "reinstate"].includes(op.do);
}

const statuses = {
  active: PrincipalStatus.ACTIVE,
  disabled: PrincipalStatus.DISABLED,
  revoked: PrincipalStatus.REVOKED,
  expired: PrincipalStatus.EXPIRED,
};

function callInternal(
  { scope, directory }: TestPolicy,
  world: World,
  op: Internal,
): Promise<unknown> {
  const { vaultId, tokenId, owner } = world;
  switch (op.do) {
    case "enroll":
      return scope.applyScope({
        vaultId,
        tokenId,
        machineId: at(world.m, op.m),
        ...named(world, op),
        anyVersion: op.any,
        expiresAt: timestampFromMs(testStartMs + lifetime * 60_000),
        createdBy: owner.userId,
        createdByRole: Role.OWNER,
      });
    case "stand":
      return scope.setPrincipalStatus({
        vaultId,
        machineId: at(world.m, op.m),
        status: statuses[op.to],
      });
    case "end": {
      const machineIds = op.ms.map((index) => at(world.m, index));
      return scope.revokePrincipals({ vaultId, machineIds, status: statuses[op.to] });
    }
    case "reinstate":
      return directory.reinstateResources({ vaultId, ...named(world, op) });
    case "retire":
    case "purge":
    default:
      return directory.retireResources({ vaultId, ...named(world, op), purged: op.do === "purge" });
  }
}

function callPublic(policy: TestPolicy, world: World, op: Public): Promise<unknown> {
  const { owner } = world;
  if (op.do === "sealAll")
    return policy.call(owner, SealingService.method.setVaultSealing, { required: op.on });
  if (op.do === "seal") {
    const setting = { secretId: at(world.s, op.s), required: op.on };
    return policy.call(owner, SealingService.method.setSecretSealing, setting);
  }
  const machineId = at(world.m, op.m);
  switch (op.do) {
    case "join":
      return policy.call(owner, MembershipService.method.addMembership, {
        machineId,
        projectId: at(world.p, op.p),
      });
    case "leave":
      return policy.call(owner, MembershipService.method.removeMembership, {
        machineId,
        projectId: at(world.p, op.p),
      });
    case "grant": {
      const granting = { machineId, secretId: at(world.s, op.s), anyVersion: op.any };
      return policy.call(owner, GrantService.method.addGrant, granting);
    }
    case "take":
      return policy.call(owner, GrantService.method.removeGrant, {
        machineId,
        secretId: at(world.s, op.s),
      });
    case "set":
    default: {
      const { secretIds } = named(world, { ps: [], ss: op.ss });
      const set = { machineId, projectId: at(world.p, op.p), secretIds, anyVersion: op.any };
      return policy.call(owner, GrantService.method.setGrants, set);
    }
  }
}

function named(
  world: World,
  { ps, ss }: { readonly ps: readonly number[]; readonly ss: readonly number[] },
) {
  return {
    projectIds: ps.map((index) => at(world.p, index)),
    secretIds: ss.map((index) => at(world.s, index)),
  };
}

function at(ids: readonly string[], index: number): string {
  return ids[index] ?? "";
}
