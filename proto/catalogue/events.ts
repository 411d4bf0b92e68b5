import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { type Event, EventSchema } from "../gen/sallyport/audit/internal/v1/append_pb.ts";
import { Outcome, Severity } from "../gen/sallyport/audit/v1/audit_pb.ts";
import { newId } from "../ids/id.ts";

/** A process that reports events; its certificate proves which. Audit itself reports nothing. */
export type Emitter = "gateway" | "identity" | "policy" | "secrets" | "crypto";

/** What the log accepts for one action. */
export type EventRule = {
  /** The only processes whose word is taken. */
  readonly emitters: readonly Emitter[];
  readonly severity: Severity;
  readonly outcomes: readonly [Outcome, ...Outcome[]];
  /** The only keys that `detail` may have. */
  readonly detail: readonly string[];
};

const done = [Outcome.ALLOWED] as const;
const refused = [Outcome.DENIED] as const;

/** Every action that can be in the log, with who may report it. Adding an action means adding a line here. */
export const events = {
  // The gateway's own refusals. `count` is how many of the same kind one record stands for.
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
  // A mutation that its owner had already run: only a gateway that repeats requests can cause it.
  "mutation.replayed": {
    emitters: ["identity", "policy", "secrets"],
    severity: Severity.CRITICAL,
    outcomes: refused,
    detail: ["path"],
  },
  // Vaults and people.
  "vault.created": { emitters: ["identity"], severity: Severity.NOTICE, outcomes: done, detail: ["name"] },
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
    detail: ["step"],
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
    detail: ["step", "hostname", "name", "validate_only"],
  },
  // The last use was spent.
  "token.exhausted": { emitters: ["identity"], severity: Severity.NOTICE, outcomes: done, detail: ["uses"] },
  // Somebody who holds the token asked what it would enroll.
  "token.checked": {
    emitters: ["identity"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["hostname", "name"],
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
  "machine.enabled": { emitters: ["identity"], severity: Severity.NOTICE, outcomes: done, detail: ["name"] },
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
  // Who may read what.
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
  // Projects and secrets.
  "project.created": { emitters: ["secrets"], severity: Severity.NOTICE, outcomes: done, detail: ["name"] },
  "secret.created": { emitters: ["secrets"], severity: Severity.NOTICE, outcomes: done, detail: ["name"] },
  "secret.version.added": {
    emitters: ["secrets"],
    severity: Severity.NOTICE,
    outcomes: done,
    detail: ["name"],
  },
  // Reads: only crypto opens, so only crypto reports that something was opened; policy reports what it refused.
  "secret.read": {
    emitters: ["crypto"],
    severity: Severity.INFO,
    outcomes: done,
    detail: ["name", "selector", "sealed"],
  },
  "secret.read.denied": {
    emitters: ["policy"],
    severity: Severity.WARNING,
    outcomes: refused,
    detail: ["name", "selector"],
  },
} as const satisfies Readonly<Record<string, EventRule>>;

const rules: ReadonlyMap<string, EventRule> = new Map(Object.entries(events));

/** The name of an event in the catalogue. */
export type Action = keyof typeof events;

/** The actions that emitter E may report. */
export type ActionOf<E extends Emitter> = {
  [A in Action]: E extends (typeof events)[A]["emitters"][number] ? A : never;
}[Action];

type Filled = "$typeName" | "$unknown" | "action" | "outcome" | "detail";

/** The fields of an event of action A; eventId and time are filled in when absent, outcome when only one is possible. */
export type EventFields<A extends Action> = Omit<MessageInitShape<typeof EventSchema>, Filled> & {
  readonly outcome?: (typeof events)[A]["outcomes"][number];
  readonly detail?: { readonly [K in (typeof events)[A]["detail"][number]]?: string };
};

/**
 * Makes an event. An action that the catalogue does not give to the emitter, or a foreign detail key, does not compile.
 * Details are made recordable: without control characters, at most 256 bytes, so that no text of a user can be one that
 * the log refuses.
 */
export function newEvent<E extends Emitter, A extends ActionOf<E>>(
  _emitter: E,
  action: A,
  fields: EventFields<A>,
): Event {
  const { detail, ...rest } = fields;
  const rule: EventRule = events[action];
  return create(EventSchema, {
    eventId: newId("evt"),
    time: timestampNow(),
    outcome: rule.outcomes[0],
    ...rest,
    action,
    detail: recordable(detail ?? {}),
  });
}

/** The rule of an action, or undefined when the catalogue has no such action. */
export function ruleOf(action: string): EventRule | undefined {
  return rules.get(action);
}

const maxDetailBytes = 256;
const control = /\p{Cc}|\p{Cs}/gu;

function recordable(detail: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(detail).flatMap(([key, value]) => (value === undefined ? [] : [[key, shortened(value)]])),
  );
}

function shortened(value: string): string {
  const bytes = new Uint8Array(maxDetailBytes);
  const printable = value.replaceAll(control, "\uFFFD");
  return printable.slice(0, new TextEncoder().encodeInto(printable, bytes).read);
}
