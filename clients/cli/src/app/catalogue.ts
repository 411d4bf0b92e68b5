import type { AnyCommand } from "../definition/define.ts";

/** A command as it is listed; its file is loaded when it is used. */
export type Entry = {
  /** One or two words, as typed. */
  readonly path: string;
  readonly summary: string;
  /** Another last word that names it. */
  readonly also?: string;
  /** The heading it stands under in help. */
  readonly section: "Start" | "Use" | "Manage" | "This computer";
  readonly load: () => Promise<AnyCommand>;
};

/** The meaning of the first word of two. */
export const groups: Readonly<Record<string, string>> = {
  vault: "Vaults, and those that this computer knows",
  project: "Projects",
  secret: "Secrets",
  token: "Enrollment tokens",
  machine: "Machines",
  member: "Which machines are in which projects",
  role: "What people may do in which projects",
  user: "The people of the vault",
  device: "The computers of people",
  keyset: "The deployment's public keys, for its operator",
  audit: "The log of what happened",
  request: "Signed requests, for authors of other clients",
};

/** Every command, in the order of help. */
export const catalogue: readonly Entry[] = [
  {
    path: "login",
    summary: "Become a user of a vault with a login code",
    section: "Start",
    load: async () => (await import("../commands/login.ts")).login,
  },
  {
    path: "enroll",
    summary: "Make this computer a machine of a vault with an enrollment token",
    section: "Start",
    load: async () => (await import("../commands/enroll.ts")).enroll,
  },
  {
    path: "whoami",
    summary: "Show who this identity is to the server",
    section: "Start",
    load: async () => (await import("../commands/whoami.ts")).whoami,
  },
  {
    path: "get",
    summary: "Read one secret",
    section: "Use",
    load: async () => (await import("../commands/get.ts")).get,
  },
  {
    path: "list",
    summary: "List what this machine may read, without values",
    section: "Use",
    load: async () => (await import("../commands/list.ts")).list,
  },
  {
    path: "run",
    summary: "Run a command with secrets in its environment",
    section: "Use",
    load: async () => (await import("../commands/run.ts")).run,
  },
  {
    path: "export",
    summary: "Write secrets in a format that other programs read",
    section: "Use",
    load: async () => (await import("../commands/export.ts")).exportCommand,
  },
  {
    path: "proxy",
    summary: "Sign requests of tools that cannot sign",
    section: "Use",
    load: async () => (await import("../commands/proxy.ts")).proxy,
  },
  {
    path: "project create",
    summary: "Make a project with a key of its own",
    section: "Manage",
    load: async () => (await import("../commands/project-create.ts")).projectCreate,
  },
  {
    path: "project list",
    summary: "List projects, or the deleted ones",
    section: "Manage",
    load: async () => (await import("../commands/project-list.ts")).projectList,
  },
  {
    path: "project show",
    summary: "Show a project",
    section: "Manage",
    load: async () => (await import("../commands/project-show.ts")).projectShow,
  },
  {
    path: "project delete",
    summary: "Delete an empty project; it can be restored for 30 days",
    section: "Manage",
    load: async () => (await import("../commands/project-delete.ts")).projectDelete,
  },
  {
    path: "project restore",
    summary: "Bring a deleted project back",
    section: "Manage",
    load: async () => (await import("../commands/project-restore.ts")).projectRestore,
  },
  {
    path: "secret create",
    summary: "Make a secret",
    section: "Manage",
    load: async () => (await import("../commands/secret-create.ts")).secretCreate,
  },
  {
    path: "secret put",
    summary: "Store a new version of a secret, or make it",
    section: "Manage",
    load: async () => (await import("../commands/secret-put.ts")).secretPut,
  },
  {
    path: "secret list",
    summary: "List secrets without values, or the deleted ones",
    section: "Manage",
    load: async () => (await import("../commands/secret-list.ts")).secretList,
  },
  {
    path: "secret show",
    summary: "Show everything about a secret but its value",
    section: "Manage",
    load: async () => (await import("../commands/secret-show.ts")).secretShow,
  },
  {
    path: "secret versions",
    also: "history",
    summary: "List the versions of a secret",
    section: "Manage",
    load: async () => (await import("../commands/secret-versions.ts")).secretVersions,
  },
  {
    path: "secret rollback",
    summary: "Make a former value of a secret current",
    section: "Manage",
    load: async () => (await import("../commands/secret-rollback.ts")).secretRollback,
  },
  {
    path: "secret access",
    summary: "Show who can read a secret",
    section: "Manage",
    load: async () => (await import("../commands/secret-access.ts")).secretAccess,
  },
  {
    path: "secret note",
    summary: "Write down something about a secret",
    section: "Manage",
    load: async () => (await import("../commands/secret-note.ts")).secretNote,
  },
  {
    path: "secret rm",
    summary: "Delete a secret; it can be restored for 30 days",
    section: "Manage",
    load: async () => (await import("../commands/secret-rm.ts")).secretRm,
  },
  {
    path: "secret restore",
    summary: "Bring a deleted secret back",
    section: "Manage",
    load: async () => (await import("../commands/secret-restore.ts")).secretRestore,
  },
  {
    path: "secret sealing",
    summary: "Forbid unsealed reads of a secret",
    section: "Manage",
    load: async () => (await import("../commands/secret-sealing.ts")).secretSealing,
  },
  {
    path: "token create",
    summary: "Make an enrollment token for a pipeline; it is shown once",
    section: "Manage",
    load: async () => (await import("../commands/token-create.ts")).tokenCreate,
  },
  {
    path: "token list",
    summary: "List enrollment tokens with their uses",
    section: "Manage",
    load: async () => (await import("../commands/token-list.ts")).tokenList,
  },
  {
    path: "token show",
    summary: "Show what an enrollment token may do",
    section: "Manage",
    load: async () => (await import("../commands/token-show.ts")).tokenShow,
  },
  {
    path: "token check",
    summary: "Say what an enrollment token would enroll, without using it",
    section: "Manage",
    load: async () => (await import("../commands/token-check.ts")).tokenCheck,
  },
  {
    path: "token revoke",
    summary: "End an enrollment token, and with --cascade the machines that it made",
    section: "Manage",
    load: async () => (await import("../commands/token-revoke.ts")).tokenRevoke,
  },
  {
    path: "machine list",
    summary: "List machines, when they were seen and from where",
    section: "Manage",
    load: async () => (await import("../commands/machine-list.ts")).machineList,
  },
  {
    path: "machine show",
    summary: "Show everything about a machine",
    section: "Manage",
    load: async () => (await import("../commands/machine-show.ts")).machineShow,
  },
  {
    path: "machine access",
    summary: "Show what a machine can read, or why not",
    section: "Manage",
    load: async () => (await import("../commands/machine-access.ts")).machineAccess,
  },
  {
    path: "machine rename",
    summary: "Give a machine another name",
    section: "Manage",
    load: async () => (await import("../commands/machine-rename.ts")).machineRename,
  },
  {
    path: "machine disable",
    summary: "Stop a machine until it is enabled again",
    section: "Manage",
    load: async () => (await import("../commands/machine-disable.ts")).machineDisable,
  },
  {
    path: "machine enable",
    summary: "Let a disabled machine work again",
    section: "Manage",
    load: async () => (await import("../commands/machine-enable.ts")).machineEnable,
  },
  {
    path: "machine revoke",
    summary: "End a machine permanently",
    section: "Manage",
    load: async () => (await import("../commands/machine-revoke.ts")).machineRevoke,
  },
  {
    path: "grant",
    summary: "Let a machine read secrets",
    section: "Manage",
    load: async () => (await import("../commands/grant.ts")).grant,
  },
  {
    path: "revoke",
    summary: "Take back that a machine may read secrets",
    section: "Manage",
    load: async () => (await import("../commands/revoke.ts")).revoke,
  },
  {
    path: "member add",
    summary: "Put a machine into a project",
    section: "Manage",
    load: async () => (await import("../commands/member-add.ts")).memberAdd,
  },
  {
    path: "member rm",
    summary: "Take a machine out of a project, and its grants there with it",
    section: "Manage",
    load: async () => (await import("../commands/member-rm.ts")).memberRm,
  },
  {
    path: "member list",
    summary: "List the machines of a project, or the projects of a machine",
    section: "Manage",
    load: async () => (await import("../commands/member-list.ts")).memberList,
  },
  {
    path: "role set",
    summary: "Say what a user may do in a project",
    section: "Manage",
    load: async () => (await import("../commands/role-set.ts")).roleSet,
  },
  {
    path: "role rm",
    summary: "Take back what a user may do in a project",
    section: "Manage",
    load: async () => (await import("../commands/role-rm.ts")).roleRm,
  },
  {
    path: "role list",
    summary: "List the roles in a project, of a user, or your own",
    section: "Manage",
    load: async () => (await import("../commands/role-list.ts")).roleList,
  },
  {
    path: "user list",
    summary: "List the people of the vault",
    section: "Manage",
    load: async () => (await import("../commands/user-list.ts")).userList,
  },
  {
    path: "user show",
    summary: "Show a user with their devices and project roles",
    section: "Manage",
    load: async () => (await import("../commands/user-show.ts")).userShow,
  },
  {
    path: "user invite",
    summary: "Make a login code that lets one person in; it is shown once",
    section: "Manage",
    load: async () => (await import("../commands/user-invite.ts")).userInvite,
  },
  {
    path: "user codes",
    summary: "List login codes, spent ones too",
    section: "Manage",
    load: async () => (await import("../commands/user-codes.ts")).userCodes,
  },
  {
    path: "user revoke-code",
    summary: "End a login code that was not redeemed",
    section: "Manage",
    load: async () => (await import("../commands/user-revoke-code.ts")).userRevokeCode,
  },
  {
    path: "user remove",
    summary: "End a user permanently, with their devices and tokens",
    section: "Manage",
    load: async () => (await import("../commands/user-remove.ts")).userRemove,
  },
  {
    path: "device list",
    summary: "List devices of a user, or of everyone",
    section: "Manage",
    load: async () => (await import("../commands/device-list.ts")).deviceList,
  },
  {
    path: "device add",
    summary: "Make a login code for a further computer of yours",
    section: "Manage",
    load: async () => (await import("../commands/device-add.ts")).deviceAdd,
  },
  {
    path: "device renew",
    summary: "Give this computer a new key",
    section: "Manage",
    load: async () => (await import("../commands/device-renew.ts")).deviceRenew,
  },
  {
    path: "device revoke",
    summary: "End a device permanently",
    section: "Manage",
    load: async () => (await import("../commands/device-revoke.ts")).deviceRevoke,
  },
  {
    path: "audit list",
    summary: "List records of what happened",
    section: "Manage",
    load: async () => (await import("../commands/audit-list.ts")).auditList,
  },
  {
    path: "audit tail",
    summary: "Show records as they come",
    section: "Manage",
    load: async () => (await import("../commands/audit-tail.ts")).auditTail,
  },
  {
    path: "audit show",
    summary: "Show every field of a record",
    section: "Manage",
    load: async () => (await import("../commands/audit-show.ts")).auditShow,
  },
  {
    path: "vault list",
    summary: "List the vaults that this computer has identities of",
    section: "This computer",
    load: async () => (await import("../commands/vault-list.ts")).vaultList,
  },
  {
    path: "vault use",
    summary: "Choose the vault that commands use",
    section: "This computer",
    load: async () => (await import("../commands/vault-use.ts")).vaultUse,
  },
  {
    path: "vault show",
    summary: "Show a vault, and this computer's identities of it",
    section: "This computer",
    load: async () => (await import("../commands/vault-show.ts")).vaultShow,
  },
  {
    path: "vault create",
    summary: "Make another vault; its owner's login code is shown once",
    section: "This computer",
    load: async () => (await import("../commands/vault-create.ts")).vaultCreate,
  },
  {
    path: "vault sealing",
    summary: "Forbid unsealed reads of the whole vault, or show what is forbidden",
    section: "This computer",
    load: async () => (await import("../commands/vault-sealing.ts")).vaultSealing,
  },
  {
    path: "keyset sign",
    summary: "Have the root key vouch for a new signer of keysets, once a year",
    section: "This computer",
    load: async () => (await import("../commands/keyset-sign.ts")).keysetSign,
  },
  {
    path: "keyset renew",
    summary: "Renew the deployment's keyset, daily",
    section: "This computer",
    load: async () => (await import("../commands/keyset-renew.ts")).keysetRenew,
  },
  {
    path: "keyset rotate",
    summary: "Replace a key of the deployment, step by step, while everything runs",
    section: "This computer",
    load: async () => (await import("../commands/keyset-rotate.ts")).keysetRotate,
  },
  {
    path: "keyset show",
    summary: "Show the keys of a keyset, when what ends, and how far rotations are",
    section: "This computer",
    load: async () => (await import("../commands/keyset-show.ts")).keysetShow,
  },
  {
    path: "logout",
    summary: "End the keys of this computer and remove them",
    section: "This computer",
    load: async () => (await import("../commands/logout.ts")).logout,
  },
  {
    path: "doctor",
    summary: "Check everything that has to be right, and say what to fix",
    section: "This computer",
    load: async () => (await import("../commands/doctor.ts")).doctor,
  },
  {
    path: "request check",
    summary: "Find which step of the signature check a captured request fails",
    section: "This computer",
    load: async () => (await import("../commands/request-check.ts")).requestCheck,
  },
  {
    path: "completion",
    summary: "Print the completion script of a shell",
    section: "This computer",
    load: async () => (await import("../commands/completion.ts")).completion,
  },
  {
    path: "version",
    summary: "Show the versions of this program and its runtime",
    section: "This computer",
    load: async () => (await import("../commands/version.ts")).versionCommand,
  },
];

/**
 * The command that these first words of a command line name; what comes after it is of no matter.
 */
export function entryOf([noun = "", verb = ""]: readonly string[]): Entry | undefined {
  return catalogue.find(
    ({ path, also }) =>
      path === noun || path === `${noun} ${verb}` || (also === verb && path.startsWith(`${noun} `)),
  );
}
