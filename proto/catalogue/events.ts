import { Outcome, Severity } from "../gen/sallyport/audit/v1/audit_pb.ts";

/**
 * A process that reports events; its certificate proves its identity. Audit writes its own events
 * without a connection.
 */
export type Emitter = "gateway" | "identity" | "policy" | "secrets" | "crypto" | "audit";

/** The fields that the log accepts for one action. */
export type EventRule = {
  /** The only processes that may report it. */
  readonly emitters: readonly Emitter[];
  readonly severity: Severity;
  readonly outcomes: readonly [Outcome, ...Outcome[]];
  /** The only keys that `detail` may have. */
  readonly detail: readonly string[];
};

const done = [Outcome.ALLOWED] as const;
const refused = [Outcome.DENIED] as const;

/**
 * Every action that can be in the log, with its emitters. Adding an action means adding it here and
 * in meanings.
 */
export const events = {
  // The configuration with which a process began to serve, without its secrets.
  "process.started": {
    emitters: ["gateway", "identity", "policy", "secrets", "crypto", "audit"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: [
      "version",
      "node",
      "instance",
      "listen",
      "trust_domain",
      "public_names",
      "clock_window_seconds",
      "keyset_epoch",
      "root_fingerprint",
      "kek_fingerprint",
      "log_key",
      "operator_vault",
    ],
  },
  // The gateway's own refusals. `count` is the number of refusals of the same kind in one record.
  "request.rejected": {
    emitters: ["gateway"],
    severity: Severity.WARNING,
    outcomes: refused,
    detail: ["count", "key_id", "step", "path"],
  },
  "replay.refused": {
    emitters: ["gateway"],
    severity: Severity.CRITICAL,
    outcomes: refused,
    detail: ["count", "key_id", "step", "path"],
  },
  // A mutation that its owner had executed before: only a gateway that repeats requests can cause
  // it.
  "mutation.replayed": {
    emitters: ["identity", "policy", "secrets"],
    severity: Severity.CRITICAL,
    outcomes: refused,
    detail: ["count", "path"],
  },
  // Vaults and users.
  "vault.created": {
    emitters: ["identity"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name"],
  },
  "login_code.created": {
    emitters: ["identity"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["role", "expires_at", "user_id", "recovery"],
  },
  "login_code.revoked": {
    emitters: ["identity"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["role"],
  },
  "login_code.refused": {
    emitters: ["identity"],
    severity: Severity.WARNING,
    outcomes: refused,
    detail: ["count", "step"],
  },
  "user.enrolled": {
    emitters: ["identity"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name", "role", "login_code_id", "key_id"],
  },
  "user.removed": {
    emitters: ["identity"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name", "role", "devices", "tokens", "login_codes", "remove_reason"],
  },
  "device.added": {
    emitters: ["identity"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name", "role", "login_code_id", "key_id"],
  },
  "device.renewed": {
    emitters: ["identity"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["key_id", "former_key_id", "expires_at"],
  },
  "device.revoked": {
    emitters: ["identity"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["key_id", "revoke_reason"],
  },
  // Enrollment tokens and machines.
  "token.created": {
    emitters: ["identity"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: [
      "description",
      "projects",
      "secrets",
      "max_uses",
      "expires_at",
      "machine_lifetime_seconds",
      "source_cidrs",
      "hostname_pattern",
      "machine_name_pattern",
      "any_version",
    ],
  },
  "token.revoked": {
    emitters: ["identity"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["revoke_reason"],
  },
  "token.refused": {
    emitters: ["identity"],
    severity: Severity.WARNING,
    outcomes: refused,
    detail: ["count", "step", "hostname", "name", "validate_only"],
  },
  // The last use was spent.
  "token.exhausted": {
    emitters: ["identity"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["uses"],
  },
  // A holder of the token checked an enrollment without enrolling.
  "token.checked": {
    emitters: ["identity"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["count", "hostname", "name"],
  },
  "machine.enrolled": {
    emitters: ["identity"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name", "hostname", "token_id", "expires_at"],
  },
  "machine.disabled": {
    emitters: ["identity"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name", "disable_reason"],
  },
  "machine.enabled": {
    emitters: ["identity"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name"],
  },
  "machine.revoked": {
    emitters: ["identity"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name", "revoke_reason"],
  },
  "machine.expired": {
    emitters: ["identity"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name", "expires_at"],
  },
  "machine.renamed": {
    emitters: ["identity"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name", "former_name"],
  },
  // Grants of read access.
  "membership.added": {
    emitters: ["policy"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["token_id"],
  },
  "membership.removed": {
    emitters: ["policy"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["grants"],
  },
  "grant.added": {
    emitters: ["policy"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["token_id", "any_version"],
  },
  "grant.changed": {
    emitters: ["policy"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["any_version"],
  },
  "grant.removed": { emitters: ["policy"], severity: Severity.NOTICE, outcomes: done, detail: [] },
  // Roles of users in a project; the subject is the user.
  "project_role.set": {
    emitters: ["policy"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["role", "former_role"],
  },
  "project_role.removed": {
    emitters: ["policy"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["former_role"],
  },
  // `required` is the new setting.
  "vault.sealing_required": {
    emitters: ["policy"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["required"],
  },
  "secret.sealing_required": {
    emitters: ["policy"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["required"],
  },
  // Projects and secrets.
  "project.created": {
    emitters: ["secrets"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name"],
  },
  "secret.created": {
    emitters: ["secrets"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name"],
  },
  "secret.version.added": {
    emitters: ["secrets"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name"],
  },
  // The record's version is the new one, `rollback_of` the one whose value it restored.
  "secret.rolled_back": {
    emitters: ["secrets"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name", "rollback_of"],
  },
  // `changed` names the field; its new value is not logged.
  "secret.updated": {
    emitters: ["secrets"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name", "changed"],
  },
  "secret.deleted": {
    emitters: ["secrets"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name"],
  },
  "secret.restored": {
    emitters: ["secrets"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name"],
  },
  "secret.purged": {
    emitters: ["secrets"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name"],
  },
  "project.deleted": {
    emitters: ["secrets"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name"],
  },
  "project.restored": {
    emitters: ["secrets"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name"],
  },
  "project.purged": {
    emitters: ["secrets"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name"],
  },
  // Reads: only crypto opens values, so only crypto reports opened ones; policy reports its
  // refusals.
  "secret.read": {
    emitters: ["crypto"],
    severity: Severity.INFO,
    outcomes: done,
    detail: ["name", "selector", "sealed", "sealed_only"],
  },
  // `secrets` is the number of refused secrets; the record lists the first of them. `failed` names
  // every reason against them when there are several.
  "secret.read.denied": {
    emitters: ["policy"],
    severity: Severity.WARNING,
    outcomes: refused,
    detail: ["name", "selector", "secrets", "failed"],
  },
  // A machine that is refused more often than its budget allows: further refusals are counted.
  "machine.denials_exceeded": {
    emitters: ["policy"],
    severity: Severity.CRITICAL,
    outcomes: refused,
    detail: ["count", "selector"],
  },
  // The budget of records that a machine, or all machines of a token, may cause. The subject is the
  // machine or the token.
  "records.limit_near": {
    emitters: ["audit"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["limited", "per_day"],
  },
  "records.limit_reached": {
    emitters: ["audit"],
    severity: Severity.CRITICAL,
    outcomes: refused,
    detail: ["limited", "per_day"],
  },
} as const satisfies Readonly<Record<string, EventRule>>;

const rules: ReadonlyMap<string, EventRule> = new Map(Object.entries(events));

/** The name of an event in the catalogue. */
export type Action = keyof typeof events;

/** The meaning of each action in one line; EVENTS.md of audit is generated from these. */
export const meanings: Readonly<Record<Action, string>> = {
  "process.started": "a process began to serve, with this configuration",
  "request.rejected": "the gateway turned requests away; count is how many this record stands for",
  "replay.refused": "a signed request arrived a second time and was turned away",
  "mutation.replayed": "a change was asked for again with the same signature; it was made once",
  "vault.created": "a vault was made",
  "login_code.created": "a login code for a person was made",
  "login_code.refused": "a login code was shown that lets nobody in",
  "login_code.revoked": "a login code was ended before its time",
  "user.enrolled": "a person joined, with a first device key",
  "user.removed": "a person was removed; what they could act with ended",
  "device.added": "a person logged in with a further device",
  "device.renewed": "a device got a new key in place of its old one",
  "device.revoked": "a device was ended, by an owner or by signing out",
  "token.created": "an enrollment token was made, with this scope",
  "token.revoked": "an enrollment token was ended before its time",
  "token.exhausted": "the last use of an enrollment token was spent",
  "token.checked": "somebody who holds an enrollment token asked what it would make",
  "token.refused": "an enrollment token was shown that makes no machine",
  "machine.enrolled": "a machine came to be, by an enrollment token",
  "machine.renamed": "a machine got another name",
  "machine.expired": "a machine's lifetime is over; its rights are gone",
  "machine.disabled": "a machine was stopped until it is enabled again",
  "machine.enabled": "a disabled machine may act again",
  "machine.revoked": "a machine was ended for good",
  "membership.added": "a machine joined a project",
  "membership.removed": "a machine left a project and lost its grants there",
  "grant.added": "a machine may read a secret from now on",
  "grant.changed": "a grant reaches other versions than before",
  "grant.removed": "a machine may not read a secret any more",
  "project_role.set": "what a user may do in a project was set",
  "project_role.removed": "a user's role in a project was taken back",
  "vault.sealing_required":
    "reads of the vault's secrets must be sealed from now on, or need not be",
  "secret.sealing_required": "reads of a secret must be sealed from now on, or need not be",
  "project.created": "a project was made",
  "project.deleted": "a project was deleted; it can be restored for 30 days",
  "project.restored": "a deleted project is back",
  "project.purged": "a project that was deleted 30 days ago is gone, with its keys",
  "secret.created": "a secret was stored for the first time",
  "secret.updated": "what is said about a secret was changed, not its value",
  "secret.deleted": "a secret was deleted; it can be restored for 30 days",
  "secret.restored": "a deleted secret is back, with its grants",
  "secret.purged": "a secret that was deleted 30 days ago is gone, with every version",
  "secret.version.added": "a new version of a secret was stored",
  "secret.rolled_back": "a former value of a secret was made current, as a new version",
  "secret.read": "a secret was opened for a machine",
  "secret.read.denied": "a machine asked for secrets and was refused, for this reason",
  "machine.denials_exceeded":
    "a machine is refused more often than it may be; count is how many decisions this stands for",
  "records.limit_near": "a machine or token has used half of the records that it may cause",
  "records.limit_reached":
    "a machine or token caused as many records as it may: its reads are refused",
};

const meaningByAction: ReadonlyMap<string, string> = new Map(Object.entries(meanings));

/** The actions that emitter E may report; for several emitters, those that each of them may. */
export type ActionOf<E extends Emitter> = {
  [A in Action]: [E] extends [(typeof events)[A]["emitters"][number]] ? A : never;
}[Action];

/** Returns the rule of an action, or undefined when the catalogue has no such action. */
export function ruleOf(action: string): EventRule | undefined {
  return rules.get(action);
}

/**
 * Returns the meaning of an action in one line; undefined for one that the catalogue does not have
 * (any more).
 */
export function meaningOf(action: string): string | undefined {
  return meaningByAction.get(action);
}
