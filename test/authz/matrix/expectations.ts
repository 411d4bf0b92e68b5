import type { Things } from "./vault.ts";

/**
 * Everyone who may send a request. "stranger…" are the owner and a machine of another vault; a
 * "developer…" was given that role in the projects that requests name, "developer" none; all of
 * them list the vault's other project.
 */
export const principals = [
  "owner",
  "admin",
  "developer",
  "developerNone",
  "developerLister",
  "developerWriter",
  "developerManager",
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
  | "PROJECT_ROLE_REQUIRED"
  | "NOT_GRANTED"
  | "NOT_FOUND"
  | "FIELD_INVALID";

/** What is expected where the request names something. */
export type Naming = {
  /** How a request is met that names what another vault has; exactly so is met what is nowhere. */
  readonly foreign?: Outcome;
  /**
   * How a request is met that names what the own vault has, but in another project or for another
   * machine.
   */
  readonly misplaced?: Outcome;
  /** The things whose project counts, where one does. */
  readonly places?: readonly (keyof Things)[];
  /** How a developer whose role is too little is met, where not by being told so. */
  readonly short?: Outcome;
  /** What is misplaced is told before the project role is looked at. */
  readonly roleLast?: true;
  /** It is refused as it stands, like what is foreign, before a project is looked at. */
  readonly malformed?: true;
};

/**
 * What is expected of one method: for whom it is, whether it changes anything, and each way of
 * naming something.
 */
export type Expectation = {
  readonly callers: readonly Principal[];
  readonly changes: boolean;
  /** The least role in the project for which it is for developers. */
  readonly needs?: ProjectRole;
  readonly namings: Readonly<Record<string, Naming>>;
};

/** The Connect code and the HTTP status of each outcome (proto/README.md). */
export const codes: Readonly<Record<Outcome, readonly [code: string, status: number]>> = {
  done: ["ok", 200],
  REQUEST_REJECTED: ["unauthenticated", 401],
  MACHINE_EXPIRED: ["unauthenticated", 401],
  MACHINE_DISABLED: ["unauthenticated", 401],
  ROLE_REQUIRED: ["permission_denied", 403],
  PROJECT_ROLE_REQUIRED: ["permission_denied", 403],
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

/**
 * How a principal is met whom a method is not for: whoever is not alive never gets as far as the
 * role.
 */
export function unwelcome(principal: Principal): Outcome {
  return dead[principal] ?? "ROLE_REQUIRED";
}

/** What a developer may do in a project, from nothing on. */
type ProjectRole = "none" | "lister" | "writer" | "manager";
const ranks: readonly ProjectRole[] = ["none", "lister", "writer", "manager"];

/** Which role developers have in the projects that requests name. */
const roles: Readonly<Partial<Record<Principal, ProjectRole>>> = {
  developer: "lister",
  developerNone: "none",
  developerLister: "lister",
  developerWriter: "writer",
  developerManager: "manager",
};
const elsewhere: ProjectRole = "lister";

/**
 * What a request names in the place of own things: nothing, what is foreign or nowhere, or what
 * lies elsewhere.
 */
export type Kind = "own" | "foreign" | "misplaced";

/** How a principal is met who asks in that way, with those of the things replaced. */
export function met(
  { callers, needs, namings }: Expectation,
  principal: Principal,
  label: string,
  kind: Kind,
  replaced: readonly (keyof Things)[],
): Outcome {
  const naming = namings[label] ?? {};
  const nowhere = naming.foreign ?? "done";
  const expected = kind === "own" ? "done" : (naming[kind] ?? "done");
  const role = roles[principal];
  if (needs === undefined || role === undefined)
    return callers.includes(principal) ? expected : unwelcome(principal);
  if (naming.malformed) return nowhere;
  const inProjects = (naming.places ?? []).map((place) => {
    if (!replaced.includes(place)) return role;
    return kind === "foreign" ? "none" : elsewhere;
  });
  if (inProjects.includes("none")) return nowhere;
  if (naming.roleLast && kind === "misplaced") return expected;
  const enough = inProjects.every((one) => ranks.indexOf(one) >= ranks.indexOf(needs));
  return enough ? expected : (naming.short ?? "PROJECT_ROLE_REQUIRED");
}

/**
 * Whether what a request names is hidden from the principal: it must be met like what is nowhere.
 */
export function isHidden(
  { needs, namings }: Expectation,
  principal: Principal,
  label: string,
): boolean {
  return needs !== undefined && roles[principal] === "none" && namings[label]?.places !== undefined;
}

const owners = ["owner", "strangerOwner"] as const;
const managers = [...owners, "admin"] as const;
const projectManagers = [...managers, "developerManager"] as const;
const writers = [...projectManagers, "developerWriter"] as const;
const overseers = [...managers, "auditor"] as const;
const listers = [...writers, "auditor", "developer", "developerLister"] as const;
const users = [...listers, "developerNone"] as const;
const machines = ["machine", "strangerMachine"] as const;
const everyone = [...users, ...machines] as const;
const newKeys = ["newKey"] as const;

type Namings = Expectation["namings"];
const nothing: Namings = { nothing: {} };
const byId: Namings = { id: { foreign: "NOT_FOUND" } };
/** One thing, whose project counts. */
const of = (place: keyof Things): Namings => ({ id: { foreign: "NOT_FOUND", places: [place] } });
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
const inProject = (needs: ProjectRole, expectation: Expectation): Expectation => ({
  ...expectation,
  needs,
});

/**
 * Every public method, written from the roles of proto/README.md and the comments of the contract,
 * and not from the code.
 */
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
  "EnrollmentService/CreateToken": inProject(
    "manager",
    changes(projectManagers, {
      scope: {
        foreign: "NOT_FOUND",
        misplaced: "FIELD_INVALID",
        places: ["projectId", "secretId"],
        roleLast: true,
      },
    }),
  ),
  "EnrollmentService/GetToken": inProject(
    "manager",
    reads([...projectManagers, "auditor"], {
      id: { foreign: "NOT_FOUND", short: "NOT_FOUND", places: ["doomedTokenId"] },
    }),
  ),
  "EnrollmentService/ListTokens": inProject("manager", reads(users, nothing)),
  "EnrollmentService/RevokeToken": inProject(
    "manager",
    changes(projectManagers, {
      id: { foreign: "NOT_FOUND", short: "NOT_FOUND", places: ["doomedTokenId"] },
    }),
  ),

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

  "GrantService/AddGrant": inProject(
    "manager",
    changes(projectManagers, {
      pair: { foreign: "NOT_FOUND", misplaced: "NOT_FOUND", places: ["secretId"] },
    }),
  ),
  "GrantService/RemoveGrant": inProject(
    "manager",
    changes(projectManagers, {
      pair: { foreign: "NOT_FOUND", misplaced: "NOT_FOUND", places: ["secretId"] },
    }),
  ),
  "GrantService/SetGrants": inProject(
    "manager",
    changes(projectManagers, {
      scope: { foreign: "NOT_FOUND", misplaced: "NOT_FOUND", places: ["projectId"] },
    }),
  ),
  "GrantService/ListGrantsByMachine": reads(overseers, { id: { foreign: "NOT_FOUND" } }),
  "GrantService/ListGrantsBySecret": inProject(
    "manager",
    reads([...projectManagers, "auditor"], { id: { foreign: "NOT_FOUND", places: ["secretId"] } }),
  ),
  "GrantService/CountGrants": reads(overseers, leftOut),

  "MembershipService/AddMembership": inProject(
    "manager",
    changes(projectManagers, { pair: { foreign: "NOT_FOUND", places: ["projectId"] } }),
  ),
  "MembershipService/RemoveMembership": inProject(
    "manager",
    changes(projectManagers, {
      pair: { foreign: "NOT_FOUND", misplaced: "NOT_FOUND", places: ["projectId"] },
    }),
  ),
  "MembershipService/ListMemberships": inProject(
    "manager",
    reads([...projectManagers, "auditor"], { id: { foreign: "NOT_FOUND", places: ["projectId"] } }),
  ),
  "MembershipService/ListMembershipsByMachine": reads(overseers, byId),

  "ProjectRoleService/SetProjectRole": inProject(
    "manager",
    changes(projectManagers, { project: { foreign: "NOT_FOUND", places: ["projectId"] } }),
  ),
  "ProjectRoleService/RemoveProjectRole": inProject(
    "manager",
    changes(projectManagers, { project: { foreign: "NOT_FOUND", places: ["projectId"] } }),
  ),
  "ProjectRoleService/ListProjectRoles": inProject(
    "manager",
    reads([...projectManagers, "auditor"], { id: { foreign: "NOT_FOUND", places: ["projectId"] } }),
  ),
  "ProjectRoleService/ListProjectRolesByUser": reads(overseers, leftOut),
  "ProjectRoleService/ListOwnProjectRoles": reads(users, nothing),
  "ProjectRoleService/CountProjectRoles": reads(overseers, leftOut),

  "SealingService/SetVaultSealing": changes(managers, nothing),
  "SealingService/GetVaultSealing": reads(overseers, nothing),
  "SealingService/SetSecretSealing": inProject("manager", changes(projectManagers, of("secretId"))),
  "SealingService/ListSealedSecrets": reads(overseers, {
    nothing: {},
    project: { foreign: "NOT_FOUND" },
  }),

  "ProjectService/CreateProject": changes(managers, nothing),
  "ProjectService/GetProject": inProject(
    "lister",
    reads(listers, {
      id: { foreign: "NOT_FOUND", places: ["projectId"] },
      name: { foreign: "NOT_FOUND", places: ["projectName"] },
    }),
  ),
  "ProjectService/ListProjects": inProject("lister", reads(users, nothing)),
  "ProjectService/DeleteProject": inProject("manager", changes(projectManagers, of("emptyId"))),
  "ProjectService/RestoreProject": inProject("manager", changes(projectManagers, of("emptyId"))),

  "SecretService/CreateSecret": inProject(
    "writer",
    changes(writers, {
      project: { foreign: "NOT_FOUND", places: ["projectId"] },
      id: { foreign: "FIELD_INVALID", malformed: true },
    }),
  ),
  "SecretService/GetSecret": inProject(
    "lister",
    reads(listers, {
      id: { foreign: "NOT_FOUND", places: ["secretId"] },
      name: { foreign: "NOT_FOUND", misplaced: "NOT_FOUND", places: ["projectId"] },
    }),
  ),
  "SecretService/BatchGetSecrets": inProject(
    "lister",
    reads(users, { id: { foreign: "done", places: ["secretId"] } }),
  ),
  "SecretService/ListSecrets": inProject("lister", reads(listers, of("projectId"))),
  "SecretService/UpdateSecret": inProject("writer", changes(writers, of("secretId"))),
  "SecretService/DeleteSecret": inProject("writer", changes(writers, of("binId"))),
  "SecretService/RestoreSecret": inProject("writer", changes(writers, of("binId"))),
  "SecretService/AddVersion": inProject(
    "writer",
    changes(writers, {
      pair: { foreign: "NOT_FOUND", misplaced: "NOT_FOUND", places: ["versionedId"] },
    }),
  ),
  "SecretService/RollbackSecret": inProject(
    "writer",
    changes(writers, {
      pair: { foreign: "NOT_FOUND", misplaced: "NOT_FOUND", places: ["versionedId"] },
    }),
  ),
  "SecretService/ListVersions": inProject("lister", reads(listers, of("secretId"))),

  "AuditService/ListRecords": reads(overseers, { nothing: {}, machine: { foreign: "done" } }),
  "AuditService/GetRecord": reads(overseers, byId),
};
