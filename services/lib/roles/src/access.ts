import type { DescService } from "@bufbuild/protobuf";
import { AuditService } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { PrincipalKind, Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { MachineService } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { VaultService } from "@sallyport/proto/gen/sallyport/identity/v1/vault_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { MembershipService } from "@sallyport/proto/gen/sallyport/policy/v1/membership_pb.ts";
import {
  ProjectRole,
  ProjectRoleService,
} from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { SealingService } from "@sallyport/proto/gen/sallyport/policy/v1/sealing_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { methodPath } from "@sallyport/proto/names/method-path";

/**
 * The callers of a public method: machines, a key that is not enrolled yet, users of these roles in
 * the vault. All others are refused. A method for users says besides from which role in the project
 * on a developer may call it as well; undefined is a method that concerns no project.
 */
export type Access = { readonly machine?: true; readonly newKey?: true } & (
  | { readonly roles?: never; readonly project?: never }
  | { readonly roles: readonly Role[]; readonly project: ProjectRole | undefined }
);

/** The access to every method of a service. A method without an entry does not compile. */
export type AccessTable<S extends DescService> = { readonly [M in keyof S["method"]]: Access };

/** The caller, as far as roles go; undefined is a key that is not enrolled yet. */
export type Caller = { readonly kind: PrincipalKind; readonly role: Role };

const { OWNER, ADMIN, DEVELOPER, AUDITOR } = Role;
const machines: Access = { machine: true };
const newKeys: Access = { newKey: true };
const users = { roles: [OWNER, ADMIN, DEVELOPER, AUDITOR], project: undefined } as const;
const everyone: Access = { ...machines, ...users };
const owners: Access = { roles: [OWNER], project: undefined };
const managers = { roles: [OWNER, ADMIN], project: undefined } as const;
const overseers = { roles: [OWNER, ADMIN, AUDITOR], project: undefined } as const;
// Methods that concern a project: for these roles in the vault, and for developers from that role
// in the project on.
const { LISTER, WRITER, MANAGER } = ProjectRole;
const listed: Access = { ...overseers, project: LISTER };
const written: Access = { ...managers, project: WRITER };
const managed: Access = { ...managers, project: MANAGER };
const overseen: Access = { ...overseers, project: MANAGER };

/**
 * The role table: the access to every public method by its path, "/package.Service/Method"
 * (proto/README.md, "Roles").
 */
export const access: ReadonlyMap<string, Access> = new Map([
  ...rows(ReadService, {
    readSecrets: machines,
    listReadableSecrets: machines,
    getKeyset: { ...everyone, ...newKeys },
  }),
  ...rows(EnrollmentService, {
    enroll: newKeys,
    createToken: managed,
    getToken: overseen,
    listTokens: overseen,
    revokeToken: managed,
  }),
  ...rows(MachineService, {
    getMachine: overseers,
    batchGetMachines: overseers,
    listMachines: overseers,
    renameMachine: managers,
    disableMachine: managers,
    enableMachine: managers,
    revokeMachine: managers,
  }),
  ...rows(UserService, {
    redeemLoginCode: newKeys,
    whoAmI: everyone,
    signOut: everyone,
    renewDevice: users,
    createDeviceCode: users,
    createLoginCode: owners,
    listLoginCodes: overseers,
    revokeLoginCode: owners,
    getUser: overseers,
    listUsers: overseers,
    removeUser: owners,
    revokeDevice: owners,
  }),
  ...rows(VaultService, { getVault: users, createVault: owners }),
  ...rows(GrantService, {
    addGrant: managed,
    removeGrant: managed,
    setGrants: managed,
    listGrantsByMachine: overseers,
    listGrantsBySecret: overseen,
    countGrants: overseers,
  }),
  ...rows(MembershipService, {
    addMembership: managed,
    removeMembership: managed,
    listMemberships: overseen,
    listMembershipsByMachine: overseers,
  }),
  ...rows(ProjectRoleService, {
    setProjectRole: managed,
    removeProjectRole: managed,
    listProjectRoles: overseen,
    listProjectRolesByUser: overseers,
    listOwnProjectRoles: users,
    countProjectRoles: overseers,
  }),
  ...rows(SealingService, {
    setVaultSealing: managers,
    getVaultSealing: overseers,
    setSecretSealing: managed,
    listSealedSecrets: overseers,
  }),
  ...rows(ProjectService, {
    createProject: managers,
    getProject: listed,
    listProjects: listed,
    deleteProject: managed,
    restoreProject: managed,
  }),
  ...rows(SecretService, {
    createSecret: written,
    getSecret: listed,
    listSecrets: listed,
    addVersion: written,
    rollbackSecret: written,
    listVersions: listed,
    batchGetSecrets: listed,
    updateSecret: written,
    deleteSecret: written,
    restoreSecret: written,
  }),
  ...rows(AuditService, { listRecords: overseers, getRecord: overseers }),
]);

/**
 * Tells whether a caller may call the public method of that path at all. A path that the table
 * does not name is refused. Where a project role counts, its owner asks for that too
 * (ForwardContext.judge).
 */
export function mayCall(path: string, caller: Caller | undefined): boolean {
  const allowed = access.get(path);
  if (!allowed) return false;
  if (!caller) return allowed.newKey === true;
  if (caller.kind === PrincipalKind.MACHINE) return allowed.machine === true;
  if (caller.kind !== PrincipalKind.USER || !allowed.roles) return false;
  return (
    allowed.roles.includes(caller.role) ||
    (caller.role === DEVELOPER && allowed.project !== undefined)
  );
}

function rows<S extends DescService>(service: S, table: AccessTable<S>): [string, Access][] {
  const named: Readonly<Record<string, Access>> = table;
  return service.methods.map((method) => [methodPath(method), named[method.localName] ?? {}]);
}
