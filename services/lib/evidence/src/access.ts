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
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { methodPath } from "./method-path.ts";

/** Who may call a public method: machines, a key that is not enrolled yet, users of these roles. What is absent may not. */
export type Access = { readonly machine?: true; readonly newKey?: true; readonly roles?: readonly Role[] };

/** The access to every method of a service. A method without an entry does not compile. */
export type AccessTable<S extends DescService> = { readonly [M in keyof S["method"]]: Access };

/** Who calls, as far as roles go; undefined is a key that is not enrolled yet. */
export type Caller = { readonly kind: PrincipalKind; readonly role: Role };

const { OWNER, ADMIN, DEVELOPER, AUDITOR } = Role;
const machines: Access = { machine: true };
const newKeys: Access = { newKey: true };
const users: Access = { roles: [OWNER, ADMIN, DEVELOPER, AUDITOR] };
const everyone: Access = { ...machines, ...users };
const owners: Access = { roles: [OWNER] };
const managers: Access = { roles: [OWNER, ADMIN] };
const writers: Access = { roles: [OWNER, ADMIN, DEVELOPER] };
const overseers: Access = { roles: [OWNER, ADMIN, AUDITOR] };

/** The role table: the access to every public method by its path, "/package.Service/Method" (DESIGN §5). */
export const access: ReadonlyMap<string, Access> = new Map([
  ...rows(ReadService, {
    readSecrets: machines,
    listReadableSecrets: machines,
    getKeyset: { ...everyone, ...newKeys },
  }),
  ...rows(EnrollmentService, {
    enroll: newKeys,
    createToken: managers,
    getToken: overseers,
    listTokens: overseers,
    revokeToken: managers,
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
    addGrant: managers,
    removeGrant: managers,
    setGrants: managers,
    listGrantsByMachine: overseers,
    listGrantsBySecret: overseers,
    countGrants: overseers,
  }),
  ...rows(MembershipService, {
    addMembership: managers,
    removeMembership: managers,
    listMemberships: overseers,
    listMembershipsByMachine: overseers,
  }),
  ...rows(ProjectService, {
    createProject: managers,
    getProject: users,
    listProjects: users,
    deleteProject: managers,
    restoreProject: managers,
  }),
  ...rows(SecretService, {
    createSecret: writers,
    getSecret: users,
    listSecrets: users,
    addVersion: writers,
    listVersions: users,
    batchGetSecrets: users,
    updateSecret: writers,
    deleteSecret: writers,
    restoreSecret: writers,
  }),
  ...rows(AuditService, { listRecords: overseers, getRecord: overseers }),
]);

/** Tells whether a caller may call the public method of that path. What the table does not name is refused. */
export function mayCall(path: string, caller: Caller | undefined): boolean {
  const allowed = access.get(path);
  if (!allowed) return false;
  if (!caller) return allowed.newKey === true;
  if (caller.kind === PrincipalKind.MACHINE) return allowed.machine === true;
  return caller.kind === PrincipalKind.USER && allowed.roles?.includes(caller.role) === true;
}

function rows<S extends DescService>(service: S, table: AccessTable<S>): [string, Access][] {
  const named: Readonly<Record<string, Access>> = table;
  return service.methods.map((method) => [methodPath(method), named[method.localName] ?? {}]);
}
