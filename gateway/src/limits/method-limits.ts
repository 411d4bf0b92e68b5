import type { DescService } from "@bufbuild/protobuf";
import { AuditService } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { MachineService } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { VaultService } from "@sallyport/proto/gen/sallyport/identity/v1/vault_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { MembershipService } from "@sallyport/proto/gen/sallyport/policy/v1/membership_pb.ts";
import { ProjectRoleService } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { SealingService } from "@sallyport/proto/gen/sallyport/policy/v1/sealing_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { maxContentBytes } from "@sallyport/proto/signing";
import type { RateClass } from "./rates.ts";
import { methodPath } from "@sallyport/proto/names/method-path";

/** The cost that one request of a method may have. */
export type MethodLimits = {
  /** The bucket of its principal that pays; "none" where there is no principal yet. */
  readonly rate: RateClass;
  /**
   * The most bytes of content: those of the largest valid request in JSON, with every text escaped.
   */
  readonly contentBytes: number;
};

const KiB = 1024;
const classes = {
  // Security: anybody can sign these with a key of their own making.
  newKey: { rate: "none", contentBytes: 4 * KiB },
  read: { rate: "read", contentBytes: 16 * KiB },
  manage: { rate: "manage", contentBytes: 64 * KiB },
  write: { rate: "manage", contentBytes: maxContentBytes },
} as const satisfies Record<string, MethodLimits>;

type MethodClass = keyof typeof classes;
type Methods<S extends DescService> = keyof S["method"] & string;
type Grouped<S extends DescService> = { readonly [C in MethodClass]?: readonly Methods<S>[] };
type Missing<S extends DescService, G extends Grouped<S>> = Exclude<
  Methods<S>,
  NonNullable<G[keyof G & MethodClass]>[number]
>;
// A method that is in no group does not compile: then the groups lack a property that nobody can
// give.
type Whole<S extends DescService, G extends Grouped<S>> = [Missing<S, G>] extends [never]
  ? G
  : { readonly missing: Missing<S, G> };

function grouped<S extends DescService, const G extends Grouped<S>>(
  service: S,
  groups: G & Whole<S, G>,
): [path: string, limits: MethodLimits][] {
  const byClass = Object.entries(groups) as [MethodClass, readonly string[]][];
  return byClass.flatMap(([name, methods]) =>
    service.methods
      .filter(({ localName }) => methods.includes(localName))
      .map((method) => [methodPath(method), classes[name]] as [string, MethodLimits]),
  );
}

const limitsByPath: ReadonlyMap<string, MethodLimits> = new Map([
  ...grouped(ReadService, { read: ["readSecrets", "listReadableSecrets", "getKeyset"] }),
  ...grouped(EnrollmentService, {
    newKey: ["enroll"],
    manage: ["createToken", "getToken", "listTokens", "revokeToken"],
  }),
  ...grouped(MachineService, {
    manage: [
      "getMachine",
      "batchGetMachines",
      "listMachines",
      "renameMachine",
      "disableMachine",
      "enableMachine",
      "revokeMachine",
    ],
  }),
  ...grouped(UserService, {
    newKey: ["redeemLoginCode"],
    manage: [
      "whoAmI",
      "signOut",
      "renewDevice",
      "createDeviceCode",
      "createLoginCode",
      "listLoginCodes",
      "revokeLoginCode",
      "getUser",
      "listUsers",
      "removeUser",
      "revokeDevice",
    ],
  }),
  ...grouped(VaultService, { manage: ["getVault", "createVault"] }),
  ...grouped(GrantService, {
    manage: [
      "addGrant",
      "removeGrant",
      "setGrants",
      "listGrantsByMachine",
      "listGrantsBySecret",
      "countGrants",
    ],
  }),
  ...grouped(MembershipService, {
    manage: ["addMembership", "removeMembership", "listMemberships", "listMembershipsByMachine"],
  }),
  ...grouped(ProjectRoleService, {
    manage: [
      "setProjectRole",
      "removeProjectRole",
      "listProjectRoles",
      "listProjectRolesByUser",
      "listOwnProjectRoles",
      "countProjectRoles",
    ],
  }),
  ...grouped(SealingService, {
    manage: ["setVaultSealing", "getVaultSealing", "setSecretSealing", "listSealedSecrets"],
  }),
  ...grouped(ProjectService, {
    manage: ["createProject", "getProject", "listProjects", "deleteProject", "restoreProject"],
  }),
  ...grouped(SecretService, {
    write: ["createSecret", "addVersion"],
    manage: [
      "getSecret",
      "listSecrets",
      "listVersions",
      "batchGetSecrets",
      "updateSecret",
      "deleteSecret",
      "restoreSecret",
      "rollbackSecret",
    ],
  }),
  ...grouped(AuditService, { manage: ["listRecords", "getRecord"] }),
]);

/** Returns the limits of a public method; a path without an entry is a bug and throws. */
export function limitsOf(path: string): MethodLimits {
  const limits = limitsByPath.get(path);
  if (limits === undefined) throw new Error(`no limit is set for ${path}`);
  return limits;
}
