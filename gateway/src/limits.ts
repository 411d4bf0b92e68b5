import type { DescService } from "@bufbuild/protobuf";
import { AuditService } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { MachineService } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { VaultService } from "@sallyport/proto/gen/sallyport/identity/v1/vault_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { MembershipService } from "@sallyport/proto/gen/sallyport/policy/v1/membership_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { pathOf } from "./routes.ts";

/** A token bucket: so many requests a second on average, so many at once. */
export type Rate = { readonly perSecond: number; readonly burst: number };

/** The classes of methods; a principal has one bucket for each, and none for "none". */
export type RateClass = "read" | "manage" | "none";

/** Every limit of the gateway. */
export type Rates = {
  /** What one source address may send, whoever signs. */
  readonly address: Rate;
  /** What one source address may send with keys that are not enrolled; each costs its owner a look-up. */
  readonly newKey: Rate;
  /** What one principal may do, by the class of the method. */
  readonly principal: Readonly<Record<Exclude<RateClass, "none">, Rate>>;
};

/** The limits unless a test sets others. */
export const defaultRates: Rates = {
  address: { perSecond: 2000, burst: 4000 },
  newKey: { perSecond: 30, burst: 300 },
  principal: { read: { perSecond: 500, burst: 1000 }, manage: { perSecond: 100, burst: 200 } },
};

type MethodClasses<S extends DescService> = { readonly [M in keyof S["method"]]: RateClass };

function classesOf<S extends DescService>(service: S, classes: MethodClasses<S>): [string, RateClass][] {
  return Object.entries<RateClass>(classes).flatMap(([name, rateClass]) => {
    const method = service.method[name];
    return method ? [[pathOf(method), rateClass]] : [];
  });
}

const classByPath: ReadonlyMap<string, RateClass> = new Map([
  ...classesOf(ReadService, { readSecrets: "read", listReadableSecrets: "read", getKeyset: "read" }),
  ...classesOf(EnrollmentService, {
    enroll: "none",
    createToken: "manage",
    getToken: "manage",
    listTokens: "manage",
    revokeToken: "manage",
  }),
  ...classesOf(MachineService, {
    getMachine: "manage",
    batchGetMachines: "manage",
    listMachines: "manage",
    renameMachine: "manage",
    disableMachine: "manage",
    enableMachine: "manage",
    revokeMachine: "manage",
  }),
  ...classesOf(UserService, {
    redeemLoginCode: "none",
    whoAmI: "manage",
    signOut: "manage",
    renewDevice: "manage",
    createDeviceCode: "manage",
    createLoginCode: "manage",
    listLoginCodes: "manage",
    revokeLoginCode: "manage",
    getUser: "manage",
    listUsers: "manage",
    removeUser: "manage",
    revokeDevice: "manage",
  }),
  ...classesOf(VaultService, { getVault: "manage", createVault: "manage" }),
  ...classesOf(GrantService, {
    addGrant: "manage",
    removeGrant: "manage",
    setGrants: "manage",
    listGrantsByMachine: "manage",
    listGrantsBySecret: "manage",
    countGrants: "manage",
  }),
  ...classesOf(MembershipService, {
    addMembership: "manage",
    removeMembership: "manage",
    listMemberships: "manage",
    listMembershipsByMachine: "manage",
  }),
  ...classesOf(ProjectService, {
    createProject: "manage",
    getProject: "manage",
    listProjects: "manage",
    deleteProject: "manage",
    restoreProject: "manage",
  }),
  ...classesOf(SecretService, {
    createSecret: "manage",
    getSecret: "manage",
    listSecrets: "manage",
    addVersion: "manage",
    listVersions: "manage",
    batchGetSecrets: "manage",
    updateSecret: "manage",
    deleteSecret: "manage",
    restoreSecret: "manage",
  }),
  ...classesOf(AuditService, { listRecords: "manage", getRecord: "manage" }),
]);

/** The class of a public method; a path without an entry is a bug and throws. */
export function rateClassOf(path: string): RateClass {
  const rateClass = classByPath.get(path);
  if (rateClass === undefined) throw new Error(`no limit is set for ${path}`);
  return rateClass;
}

/** Token buckets by address, for so many addresses at most. */
export type AddressLimiter = {
  /** Takes one token and returns 0, or the milliseconds until there will be one. */
  take(address: string): number;
  /** How many addresses are remembered. */
  size(): number;
  readonly capacity: number;
};

/**
 * Makes buckets in memory, for at most `capacity` addresses. `clock` gives milliseconds and runs evenly: by one that is set
 * forward and back, everybody would be refused until the time is that late again.
 */
export function createAddressLimiter(rate: Rate, clock: () => number, capacity = 100_000): AddressLimiter {
  // One number an address: when its bucket will be full again (the "theoretical arrival time" of GCRA), in ms.
  const fullAt = new Map<string, number>();
  const costMs = 1000 / rate.perSecond;
  return {
    capacity,
    size: () => fullAt.size,
    take(address: string): number {
      const now = clock();
      const next = Math.max(fullAt.get(address) ?? 0, now) + costMs;
      const waitMs = next - now - rate.burst * costMs;
      if (waitMs > 0) return Math.ceil(waitMs);
      // Oldest first out: an attacker with many addresses costs memory up to the capacity and no more.
      fullAt.delete(address);
      fullAt.set(address, next);
      const oldest = fullAt.size > capacity ? fullAt.keys().next().value : undefined;
      if (oldest !== undefined) fullAt.delete(oldest);
      return 0;
    },
  };
}
