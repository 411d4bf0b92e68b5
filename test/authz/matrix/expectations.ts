/** Everyone who may send a request. "stranger…" are the owner and a machine of another vault. */
export const principals = [
  "owner",
  "admin",
  "developer",
  "auditor",
  "machine",
  "strangerOwner",
  "strangerMachine",
  "expiredMachine",
  "disabledMachine",
  "revokedMachine",
  "removedUser",
  "unknownKey",
  "newKey",
] as const;
/** One of them. */
export type Principal = (typeof principals)[number];

/** How a request is met: done, or refused for a reason. */
export type Outcome =
  | "done"
  | "REQUEST_REJECTED"
  | "MACHINE_EXPIRED"
  | "MACHINE_DISABLED"
  | "ROLE_REQUIRED"
  | "NOT_GRANTED"
  | "NOT_FOUND"
  | "FIELD_INVALID";

/** What is expected where the request names something. */
export type Naming = {
  /** How a request is met that names what another vault has; exactly so is met what is nowhere. */
  readonly foreign?: Outcome;
  /** How a request is met that names what the own vault has, but in another project or for another machine. */
  readonly misplaced?: Outcome;
};

/** What is expected of one method: for whom it is, whether it changes anything, and each way of naming something. */
export type Expectation = {
  readonly callers: readonly Principal[];
  readonly changes: boolean;
  readonly namings: Readonly<Record<string, Naming>>;
};

/** The Connect code and the HTTP status of each outcome (proto/README.md). */
export const codes: Readonly<Record<Outcome, readonly [code: string, status: number]>> = {
  done: ["ok", 200],
  REQUEST_REJECTED: ["unauthenticated", 401],
  MACHINE_EXPIRED: ["unauthenticated", 401],
  MACHINE_DISABLED: ["unauthenticated", 401],
  ROLE_REQUIRED: ["permission_denied", 403],
  NOT_GRANTED: ["permission_denied", 403],
  NOT_FOUND: ["not_found", 404],
  FIELD_INVALID: ["invalid_argument", 400],
};

const dead: Readonly<Partial<Record<Principal, Outcome>>> = {
  expiredMachine: "MACHINE_EXPIRED",
  disabledMachine: "MACHINE_DISABLED",
  revokedMachine: "MACHINE_DISABLED",
  removedUser: "MACHINE_DISABLED",
  unknownKey: "REQUEST_REJECTED",
  newKey: "REQUEST_REJECTED",
};

/** How a principal is met whom a method is not for: whoever is not alive never gets as far as the role. */
export function unwelcome(principal: Principal): Outcome {
  return dead[principal] ?? "ROLE_REQUIRED";
}

const owners = ["owner", "strangerOwner"] as const;
const managers = [...owners, "admin"] as const;
const writers = [...managers, "developer"] as const;
const overseers = [...managers, "auditor"] as const;
const users = [...writers, "auditor"] as const;
const machines = ["machine", "strangerMachine"] as const;
const everyone = [...users, ...machines] as const;
const newKeys = ["newKey"] as const;

type Namings = Expectation["namings"];
const nothing: Namings = { nothing: {} };
const byId: Namings = { id: { foreign: "NOT_FOUND" } };
/** A listing or a batch: what the vault does not have is left out. */
const leftOut: Namings = { id: { foreign: "done" } };

const reads = (callers: readonly Principal[], namings: Namings): Expectation => ({
  callers,
  changes: false,
  namings,
});
const changes = (callers: readonly Principal[], namings: Namings): Expectation => ({
  callers,
  changes: true,
  namings,
});

/** Every public method, written from DESIGN §5 and the comments of the contract, and not from the code. */
export const expectations: Readonly<Record<string, Expectation>> = {
  "ReadService/ReadSecrets": reads(machines, {
    ids: { foreign: "NOT_GRANTED", misplaced: "NOT_GRANTED" },
    project: { foreign: "NOT_GRANTED" },
    granted: {},
  }),
  "ReadService/ListReadableSecrets": reads(machines, { nothing: {}, project: { foreign: "done" } }),
  "ReadService/GetKeyset": reads([...everyone, ...newKeys], nothing),

  "EnrollmentService/Enroll": changes(newKeys, {
    token: { foreign: "REQUEST_REJECTED" },
    vault: { foreign: "REQUEST_REJECTED" },
  }),
  "EnrollmentService/CreateToken": changes(managers, {
    scope: { foreign: "NOT_FOUND", misplaced: "FIELD_INVALID" },
  }),
  "EnrollmentService/GetToken": reads(overseers, byId),
  "EnrollmentService/ListTokens": reads(overseers, nothing),
  "EnrollmentService/RevokeToken": changes(managers, byId),

  "MachineService/GetMachine": reads(overseers, byId),
  "MachineService/BatchGetMachines": reads(overseers, leftOut),
  "MachineService/ListMachines": reads(overseers, { nothing: {}, token: { foreign: "done" } }),
  "MachineService/RenameMachine": changes(managers, byId),
  "MachineService/DisableMachine": changes(managers, byId),
  "MachineService/EnableMachine": changes(managers, byId),
  "MachineService/RevokeMachine": changes(managers, byId),

  "UserService/RedeemLoginCode": changes(newKeys, {
    code: { foreign: "REQUEST_REJECTED" },
    vault: { foreign: "REQUEST_REJECTED" },
  }),
  "UserService/WhoAmI": reads(everyone, nothing),
  "UserService/SignOut": changes(everyone, nothing),
  "UserService/RenewDevice": changes(users, nothing),
  "UserService/CreateDeviceCode": changes(users, nothing),
  "UserService/CreateLoginCode": changes(owners, nothing),
  "UserService/ListLoginCodes": reads(overseers, nothing),
  "UserService/RevokeLoginCode": changes(owners, byId),
  "UserService/GetUser": reads(overseers, byId),
  "UserService/ListUsers": reads(overseers, nothing),
  "UserService/RemoveUser": changes(owners, byId),
  "UserService/RevokeDevice": changes(owners, byId),

  "VaultService/GetVault": reads(users, nothing),
  "VaultService/CreateVault": changes(owners, nothing),

  "GrantService/AddGrant": changes(managers, { pair: { foreign: "NOT_FOUND", misplaced: "NOT_FOUND" } }),
  "GrantService/RemoveGrant": changes(managers, { pair: { foreign: "NOT_FOUND", misplaced: "NOT_FOUND" } }),
  "GrantService/SetGrants": changes(managers, { scope: { foreign: "NOT_FOUND", misplaced: "NOT_FOUND" } }),
  "GrantService/ListGrantsByMachine": reads(overseers, { id: { foreign: "NOT_FOUND" } }),
  "GrantService/ListGrantsBySecret": reads(overseers, byId),
  "GrantService/CountGrants": reads(overseers, leftOut),

  "MembershipService/AddMembership": changes(managers, { pair: { foreign: "NOT_FOUND" } }),
  "MembershipService/RemoveMembership": changes(managers, {
    pair: { foreign: "NOT_FOUND", misplaced: "NOT_FOUND" },
  }),
  "MembershipService/ListMemberships": reads(overseers, byId),
  "MembershipService/ListMembershipsByMachine": reads(overseers, byId),

  "ProjectService/CreateProject": changes(managers, nothing),
  "ProjectService/GetProject": reads(users, { id: { foreign: "NOT_FOUND" }, name: { foreign: "NOT_FOUND" } }),
  "ProjectService/ListProjects": reads(users, nothing),
  "ProjectService/DeleteProject": changes(managers, byId),
  "ProjectService/RestoreProject": changes(managers, byId),

  "SecretService/CreateSecret": changes(writers, {
    project: { foreign: "NOT_FOUND" },
    id: { foreign: "FIELD_INVALID" },
  }),
  "SecretService/GetSecret": reads(users, {
    id: { foreign: "NOT_FOUND" },
    name: { foreign: "NOT_FOUND", misplaced: "NOT_FOUND" },
  }),
  "SecretService/BatchGetSecrets": reads(users, leftOut),
  "SecretService/ListSecrets": reads(users, byId),
  "SecretService/UpdateSecret": changes(writers, byId),
  "SecretService/DeleteSecret": changes(writers, byId),
  "SecretService/RestoreSecret": changes(writers, byId),
  "SecretService/AddVersion": changes(writers, { pair: { foreign: "NOT_FOUND", misplaced: "NOT_FOUND" } }),
  "SecretService/ListVersions": reads(users, byId),

  "AuditService/ListRecords": reads(overseers, { nothing: {}, machine: { foreign: "done" } }),
  "AuditService/GetRecord": reads(overseers, byId),
};
