import { Reason } from "../gen/sallyport/errors/v1/reason_pb.ts";

/**
 * The public part of a refusal: the metadata that is passed on, and one sentence with the next
 * step.
 */
export type PublicError = { readonly metadata: readonly string[]; readonly sentence: string };

/**
 * The reasons that are sent to clients only as INTERNAL or as another reason: they concern our own
 * processes.
 */
type Hidden =
  | typeof Reason.UNSPECIFIED
  | typeof Reason.INTERNAL
  | typeof Reason.ALREADY_RECORDED
  | typeof Reason.PEER_NOT_ALLOWED
  | typeof Reason.EVIDENCE_INVALID;

const known: Readonly<Record<Exclude<Reason, Hidden>, PublicError>> = {
  [Reason.REQUEST_REJECTED]: {
    metadata: [],
    sentence:
      "the request was rejected: check that the identity is still valid and sign every attempt " +
      "anew",
  },
  [Reason.CLOCK_SKEW]: {
    metadata: ["server_time"],
    sentence:
      "the request's time is outside the window: set the clock by server_time and sign again",
  },
  [Reason.MACHINE_EXPIRED]: {
    metadata: [],
    sentence:
      "the lifetime of this machine or device key is over: enroll a new machine, or log in again",
  },
  [Reason.MACHINE_DISABLED]: {
    metadata: [],
    sentence:
      "this machine is disabled or revoked, or this device signed out: ask an admin of the vault",
  },
  [Reason.ROLE_REQUIRED]: {
    metadata: [],
    sentence: "your role may not do this: ask an owner or admin of the vault",
  },
  [Reason.NOT_GRANTED]: {
    metadata: ["secret_id"],
    sentence:
      "no grant covers this secret, or the version named: ask an admin of the vault to grant it",
  },
  [Reason.NOT_FOUND]: {
    metadata: ["field"],
    sentence: "there is no such thing in this vault: check the id or name",
  },
  [Reason.ALREADY_EXISTS]: {
    metadata: ["field"],
    sentence: "that name or id is taken: choose another",
  },
  [Reason.FIELD_INVALID]: { metadata: ["field", "description"], sentence: "a field is not valid" },
  [Reason.NAME_DANGEROUS]: {
    metadata: ["name", "description"],
    sentence:
      "a variable of this name changes what programs run or trust: choose another name, or allow " +
      "it explicitly",
  },
  [Reason.TOO_LARGE]: {
    metadata: ["limit_bytes"],
    sentence: "too large: ask for or send less at once",
  },
  [Reason.VERSION_CONFLICT]: {
    metadata: ["current_version"],
    sentence: "the secret has changed since: look at the current version and try again",
  },
  [Reason.TOKEN_EXPIRED]: {
    metadata: [],
    sentence: "the token or code is past its lifetime: ask for a new one",
  },
  [Reason.TOKEN_EXHAUSTED]: {
    metadata: [],
    sentence: "every use of the token or code is spent: ask for a new one",
  },
  [Reason.TOKEN_REVOKED]: {
    metadata: [],
    sentence: "the token or code was revoked: ask for a new one",
  },
  [Reason.TOKEN_SOURCE_REFUSED]: {
    metadata: [],
    sentence:
      "the token does not enroll from this address: use it where it was made for, or ask for " +
      "another",
  },
  [Reason.TOKEN_HOSTNAME_REFUSED]: {
    metadata: [],
    sentence:
      "the token does not enroll a host of this name: use it where it was made for, or ask for " +
      "another",
  },
  [Reason.TOKEN_NAME_REFUSED]: {
    metadata: [],
    sentence:
      "the token does not give this machine name: leave the name out, or ask which names it gives",
  },
  [Reason.MACHINE_CAP_REACHED]: {
    metadata: ["limit"],
    sentence:
      "the vault has as many machines as it may have: revoke what is not needed, or have the cap " +
      "raised",
  },
  [Reason.LAST_OWNER]: {
    metadata: [],
    sentence: "the vault would be left without an owner: make another owner first",
  },
  [Reason.PROJECT_NOT_EMPTY]: {
    metadata: ["secrets"],
    sentence: "the project still holds secrets: delete them first",
  },
  [Reason.PROJECT_ROLE_REQUIRED]: {
    metadata: ["project_role"],
    sentence:
      "your role in this project may not do this: ask a manager of the project for the role named",
  },
  [Reason.SEALING_REQUIRED]: {
    metadata: ["secret_id"],
    sentence:
      "this secret is read sealed only: name a recipient key, or read with a Sallyport client",
  },
  [Reason.RATE_LIMITED]: { metadata: [], sentence: "too many requests: wait for the retry delay" },
  [Reason.DEPENDENCY_UNAVAILABLE]: {
    metadata: [],
    sentence:
      "a part of the system cannot answer now: nothing was given out; try again after the delay, " +
      "signed anew",
  },
};

/** The public part of each public reason; a reason that is absent here is never sent to clients. */
export const publicErrors: Readonly<Partial<Record<Reason, PublicError>>> = known;

/** Returns the public part of a refusal's metadata; empty for a reason that is not public. */
export function publicMetadata(
  reason: Reason,
  metadata: Readonly<Record<string, string>>,
): Record<string, string> {
  const allowed = publicErrors[reason]?.metadata ?? [];
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => allowed.includes(key)));
}

/**
 * Returns the sentence for a public refusal, with the field and the fault where they are public;
 * undefined for other reasons.
 */
export function publicSentence(
  reason: Reason,
  metadata: Readonly<Record<string, string>>,
): string | undefined {
  const known = publicErrors[reason];
  if (!known) return undefined;
  const { field, description } = publicMetadata(reason, metadata);
  return [known.sentence, ...[field, description].filter((part) => part)].join(": ");
}

/**
 * Returns the caller's next step after a refusal for this reason: the part of its sentence after
 * the colon. It is empty for a reason that is not public, and depends on nothing but the reason.
 */
export function publicNextStep(reason: Reason): string {
  return publicErrors[reason]?.sentence.split(": ").slice(1).join(": ") ?? "";
}

// The refusals of a gateway before it calls another process, by the name of the reason.
const gatewayReasons: ReadonlySet<string> = new Set<keyof typeof Reason>([
  "REQUEST_REJECTED",
  "CLOCK_SKEW",
  "MACHINE_EXPIRED",
  "MACHINE_DISABLED",
  "ROLE_REQUIRED",
  "TOO_LARGE",
  "RATE_LIMITED",
  "DEPENDENCY_UNAVAILABLE",
  "INTERNAL",
]);

// Fields of the request itself, not of a method's message.
const requestFields: ReadonlySet<string> = new Set([
  "authority",
  "body",
  "connect-content-encoding",
  "content-digest",
  "content-encoding",
  "content-type",
  "grpc-encoding",
  "headers",
  "method",
  "path",
  "trailer",
]);

/**
 * Returns whether a gateway may refuse for that reason without the owner of the method. Any other
 * refusal has to be signed by the owner (SIGNING §11).
 */
export function mayGatewayRefuse(
  reason: string,
  metadata: Readonly<Record<string, string>>,
): boolean {
  return (
    gatewayReasons.has(reason) ||
    (reason === "FIELD_INVALID" && requestFields.has(metadata["field"] ?? ""))
  );
}
