import type { ClientReason, PublicReason } from "@sallyport/client";
import { inWords } from "./pattern.ts";

/** Reasons that the command line itself finds. */
export type CliReason =
  | "USAGE"
  | "UNEXPECTED"
  | "KEYSET_UNFIT"
  | "VAULT_UNCLEAR"
  | "VAULT_UNKNOWN"
  | "IDENTITY_UNFIT"
  | "IDENTITY_EXPIRED"
  | "NAME_AMBIGUOUS"
  | "MACHINE_ENDED"
  | "NAME_UNFIT"
  | "NAME_DANGEROUS"
  | "LAST_OWNER"
  | "ALREADY_EXISTS"
  | "VALUE_UNFIT"
  | "OUTPUT_FAILED"
  | "LISTEN_FAILED"
  | "STOPPED"
  | "COMMAND_NOT_FOUND"
  | "COMMAND_NOT_STARTED";

/** Every reason that the command line can show. */
export type KnownReason = PublicReason | ClientReason | CliReason;

type Metadata = Readonly<Record<string, string>>;

/** The explanation of a reason. */
export type Advice = {
  /**
   * 1 unexpected, 2 usage, 3 refused, 4 identity, 5 not found or conflict, 6 unavailable; for `run`
   * as a shell's.
   */
  readonly exitCode: 1 | 2 | 3 | 4 | 5 | 6 | 126 | 127 | 130;
  /** The message for a server's refusal. A client's own errors bring theirs. */
  readonly what?: (metadata: Metadata) => string;
  /** The next step. */
  readonly next: (metadata: Metadata) => string;
};

const field = (metadata: Metadata): string => metadata["field"] ?? "a field";

/** The next step, unless the request may have been carried out without an answer. */
function unlessDone(otherwise: (metadata: Metadata) => string): Advice["next"] {
  return (metadata) =>
    metadata["done"] === "unknown"
      ? "it may have been done all the same: look, and do it again if it was not"
      : otherwise(metadata);
}

const noVersion = [
  "the secret has no such version",
  'list them with "sallyport secret versions SECRET"',
] as const;

/** The missing thing and the next step, where it is not one that was named. */
const missing: Readonly<Record<string, readonly [what: string, next: string] | undefined>> = {
  membership: [
    "the machine has no membership in this project",
    'put it in with "sallyport member add", or see its projects with "sallyport member list"',
  ],
  version: noVersion,
  to_version: noVersion,
  grant: [
    "the machine has no such grant",
    'see who can read a secret with "sallyport secret access SECRET"',
  ],
};

function unreachableNext({ cause = "" }: Metadata): string {
  if (cause.includes("ALTNAME"))
    return "write the gateway's address with a name of its certificate, in SALLYPORT_URL";
  if (/EXPIRED|NOT_YET_VALID/.test(cause))
    return "check this computer's clock, or have the server's operator renew the certificate";
  if (/CERT|SELF_SIGNED|UNABLE_TO|ISSUER/.test(cause))
    return 'set SALLYPORT_CA to the PEM file of the gateway\'s CA; "sallyport doctor" checks it';
  if (/NO_APPLICATION_PROTOCOL|ERR_HTTP2/.test(cause))
    return "check the port; a balancer in between has to pass TCP on, or HTTP/2 in both directions";
  if (/^ERR_SSL|^EPROTO/.test(cause))
    return "check the port: the gateway's speaks TLS from the first byte";
  if (cause === "NOT_A_GATEWAY")
    return (
      "check host and port of the address, and what stands between: a balancer, a firewall, " +
      "a login page"
    );
  if (cause === "PROXY_407") return "write the proxy's user and password into HTTPS_PROXY";
  if (cause.startsWith("PROXY_"))
    return (
      "check HTTPS_PROXY, ask for a way through the proxy, or take the gateway out with " +
      "NO_PROXY"
    );
  if (cause === "ENOTFOUND" || cause === "EAI_AGAIN")
    return "check the host name in the address, and that names can be resolved here";
  return (
    'check that the gateway runs and can be reached from here: "sallyport doctor" checks ' +
    "each step"
  );
}

const all: Readonly<Record<KnownReason, Advice>> = {
  REQUEST_REJECTED: {
    exitCode: 3,
    what: () =>
      "the server rejected the request: the key, the token or the signature is not one it accepts",
    next: () => 'check with "sallyport doctor"; if it is all well, log in or enroll again',
  },
  CLOCK_SKEW: {
    exitCode: 4,
    what: ({ server_time: time = "another time" }) =>
      `this computer's clock is wrong: the server's says ${time}`,
    next: () => "set the clock (such as by NTP), then do it again",
  },
  MACHINE_EXPIRED: {
    exitCode: 4,
    what: () => "the lifetime of this identity's key is over",
    next: () =>
      'as a machine enroll again with a token ("sallyport enroll"); as a person log in with a ' +
      "new " +
      'code ("sallyport login")',
  },
  MACHINE_DISABLED: {
    exitCode: 4,
    what: () => "this identity's key was disabled or revoked",
    next: () =>
      "ask an admin of the vault to enable it, or for a new enrollment token or login code",
  },
  ROLE_REQUIRED: {
    exitCode: 3,
    what: () => "this identity's role may not do that",
    next: () => 'see your role with "sallyport whoami", and ask an owner or admin of the vault',
  },
  PROJECT_ROLE_REQUIRED: {
    exitCode: 3,
    what: ({ project_role: role = "a greater role" }) =>
      `this needs the role ${role} in the project`,
    next: () =>
      'see your roles with "sallyport role list", and ask a manager of the project, or an owner ' +
      "or admin",
  },
  NOT_GRANTED: {
    exitCode: 3,
    what: ({ secret_id: id }) => `no grant covers ${id ?? "this secret"}`,
    next: () =>
      'see what this machine may read with "sallyport list", and ask an admin of the vault for a ' +
      "grant",
  },
  NOT_FOUND: {
    exitCode: 5,
    what: ({ field: of = "" }) =>
      missing[of]?.[0] ?? `there is no such thing in this vault${of === "" ? "" : ` (${of})`}`,
    next: ({ field: of = "" }) =>
      missing[of]?.[1] ?? 'check the name or id, and the vault with "sallyport vault show"',
  },
  ALREADY_EXISTS: {
    exitCode: 5,
    what: (metadata) => `that ${field(metadata).replaceAll("_", " ")} is taken already`,
    next: () => "choose another name",
  },
  FIELD_INVALID: {
    exitCode: 2,
    what: (metadata) => `${field(metadata)} is not valid: ${inWords(metadata["description"])}`,
    next: () => "correct it; --help says what is allowed",
  },
  NAME_DANGEROUS: {
    exitCode: 3,
    what: ({ name, description }) =>
      `a variable ${name ?? "of this name"} is dangerous: ${description ?? "it runs code"}`,
    next: () => "choose another name, or allow it with --allow-dangerous-name",
  },
  TOO_LARGE: {
    exitCode: 2,
    what: ({ limit_bytes: limit }) =>
      `that is too large${limit === undefined ? "" : `: the limit is ${limit} bytes`}`,
    next: () => "send or ask for less at once",
  },
  VERSION_CONFLICT: {
    exitCode: 5,
    what: ({ current_version: version }) =>
      `the secret has changed since: it is at version ${version ?? "another"} now`,
    next: () => 'see who changed it with "sallyport secret versions", then do it again',
  },
  TOKEN_EXPIRED: {
    exitCode: 3,
    what: () => "the token or code is past its lifetime",
    next: () => "ask for a new one",
  },
  TOKEN_EXHAUSTED: {
    exitCode: 3,
    what: () => "every use of the token or code is spent",
    next: () => "ask for a new one",
  },
  TOKEN_REVOKED: {
    exitCode: 3,
    what: () => "the token or code was revoked",
    next: () => "ask for a new one",
  },
  TOKEN_SOURCE_REFUSED: {
    exitCode: 3,
    what: () => "the token does not enroll from this address",
    next: () => "use it where it was made for, or ask for one for this network",
  },
  TOKEN_HOSTNAME_REFUSED: {
    exitCode: 3,
    what: () => "the token does not enroll a host of this name",
    next: () => "use it where it was made for, or ask for one for this host",
  },
  TOKEN_NAME_REFUSED: {
    exitCode: 3,
    what: () => "the token does not give this machine name",
    next: () =>
      "leave --name out where the token makes the names; else give one that it allows (without " +
      "--name it is the host's name), or ask its maker",
  },
  MACHINE_CAP_REACHED: {
    exitCode: 6,
    what: ({ limit }) =>
      `the vault has as many machines as it may have${limit === undefined ? "" : ` (${limit})`}`,
    next: () =>
      "ask an admin of the vault to revoke machines that are not needed, or to have the cap raised",
  },
  LAST_OWNER: {
    exitCode: 5,
    what: () => "the vault would be left without an owner",
    next: () =>
      'make another owner first: "sallyport user invite --role owner"; "device revoke --keep" ' +
      "ends a device alone",
  },
  PROJECT_NOT_EMPTY: {
    exitCode: 5,
    what: ({ secrets = "some" }) =>
      `the project still holds ${secrets} secret${secrets === "1" ? "" : "s"}`,
    next: () =>
      'delete them first: "sallyport secret list" shows them, "sallyport secret rm" deletes one',
  },
  SEALING_REQUIRED: {
    exitCode: 3,
    what: ({ secret_id: id }) => `${id ?? "this secret"} is read sealed only`,
    next: () =>
      'read it with a Sallyport client, which always seals: "sallyport get", "run" or "export"',
  },
  RATE_LIMITED: {
    exitCode: 6,
    what: () => "too many requests",
    next: () => "do it again later, or give it longer with --timeout",
  },
  DEPENDENCY_UNAVAILABLE: {
    exitCode: 6,
    what: ({ done }) =>
      "a part of the system cannot answer " +
      `now${done === "unknown" ? "" : "; nothing was given out"}`,
    next: unlessDone(() => "do it again later, or give it longer with --timeout"),
  },
  INTERNAL: {
    exitCode: 1,
    what: ({ request_id: id }) => `the server failed${id === undefined ? "" : ` (request ${id})`}`,
    next: unlessDone(() => "report it to the server's operator, with the request id"),
  },
  REPLY_UNTRUSTED: {
    exitCode: 3,
    next: () =>
      "do not use what came; report to the server's operator that a reply was not what it was " +
      "signed to be",
  },
  ROOT_CHANGED: {
    exitCode: 4,
    next: () =>
      "see that SALLYPORT_URL, if set, is this vault's gateway; else go on when an operator has " +
      "confirmed the new fingerprint: log in or enroll again",
  },
  UNREACHABLE: { exitCode: 6, next: unlessDone(unreachableNext) },
  IDENTITY_MISSING: {
    exitCode: 4,
    next: () => 'run "sallyport login" as a person or "sallyport enroll" as a machine',
  },
  IDENTITY_INVALID: {
    exitCode: 4,
    next: () =>
      "do what it says; where a folder cannot be written, name a file elsewhere with " +
      'SALLYPORT_IDENTITY; "sallyport doctor" checks again',
  },
  USAGE: {
    exitCode: 2,
    next: () => '"sallyport help" shows the commands, "sallyport help COMMAND" one of them',
  },
  UNEXPECTED: {
    exitCode: 1,
    next: () => 'check with "sallyport doctor"; if it is all well, report this as a bug',
  },
  KEYSET_UNFIT: {
    exitCode: 5,
    next: () => 'see what there is with "sallyport keyset show", and put files back from a copy',
  },
  VAULT_UNCLEAR: {
    exitCode: 2,
    next: () => 'choose with --vault, or permanently with "sallyport vault use"',
  },
  VAULT_UNKNOWN: {
    exitCode: 5,
    next: () => '"sallyport vault list" shows the vaults that this computer knows',
  },
  IDENTITY_UNFIT: {
    exitCode: 4,
    next: () => "use the identity of the other kind, or omit --identity",
  },
  IDENTITY_EXPIRED: { exitCode: 4, next: () => "log in or enroll again" },
  NAME_AMBIGUOUS: {
    exitCode: 2,
    next: () => "choose with --project, or name it as project/NAME or by its id",
  },
  MACHINE_ENDED: {
    exitCode: 5,
    next: () => 'that is permanent: enroll another with a token of "sallyport token create"',
  },
  NAME_UNFIT: { exitCode: 2, next: () => "give it another with --map NEW_NAME=secret" },
  VALUE_UNFIT: { exitCode: 2, next: () => "leave it out with --only, or choose another format" },
  OUTPUT_FAILED: { exitCode: 1, next: () => "choose another path with --output" },
  STOPPED: { exitCode: 130, next: () => "nothing was done" },
  LISTEN_FAILED: { exitCode: 1, next: () => "choose another address with --socket or --listen" },
  COMMAND_NOT_FOUND: {
    exitCode: 127,
    next: () => "check its name and the PATH; what comes after -- is the command",
  },
  COMMAND_NOT_STARTED: {
    exitCode: 126,
    next: () => "check that the file may be executed here: chmod +x makes it so",
  },
};

const known: Readonly<Record<string, Advice>> = all;

/** The explanation of a reason; an unknown reason is treated as a refusal. */
export function adviceOf(reason: string): Advice {
  const advice = Object.hasOwn(known, reason) ? known[reason] : undefined;
  return (
    advice ?? {
      exitCode: 3,
      next: () => "this client does not know the reason: a newer one may say more",
    }
  );
}

/** Every reason that has an entry. */
export const knownReasons: readonly string[] = Object.keys(all);
