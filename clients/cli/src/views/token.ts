import { durationMs } from "@bufbuild/protobuf/wkt";
import type { EnrollmentToken } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import {
  type ValueOf,
  boolean,
  integer,
  listOf,
  mapOf,
  nullable,
  object,
  text,
  time,
} from "../definition/shape.ts";
import { type NameSource, namesOf } from "../find/names.ts";
import type { Screen } from "../terminal/screen.ts";
import { momentText, relativeTime } from "../terminal/time.ts";
import { iso } from "./timestamp.ts";
import { momentOf } from "./moment.ts";

/** The state of a token. */
export const tokenStates = ["open", "exhausted", "expired", "revoked"] as const;

/**
 * The keys of an enrollment token as --json shows it, without its secret half, which no server has.
 */
export const tokenKeys = {
  tokenId: text("the token's id"),
  state: text("`open`, `exhausted`, `expired` or `revoked`"),
  description: text("what its maker wrote"),
  projectIds: listOf(text("a project's id"), "the projects that its machines join"),
  secretIds: listOf(text("a secret's id"), "the secrets that its machines may read"),
  anyVersion: boolean("whether they may read older versions too"),
  uses: integer("how many machines it has made"),
  maxUses: integer("how many machines it may make"),
  lastUsedAt: nullable(time("when it made the last one; null before the first")),
  machineSeconds: integer("how many seconds each machine lives"),
  sourceCidrs: listOf(text("an address range"), "from where it enrolls; none is everywhere"),
  hostnamePattern: text("what host names have to match; empty is all"),
  machineNamePattern: text(
    "what machine names have to match, or how they are made; empty is neither",
  ),
  createdAt: time("when it was made"),
  createdBy: text("the user who made it"),
  createdByName: text("that user's name"),
  expiresAt: time("when it stops enrolling"),
  revokedAt: nullable(time("when it was revoked; null when not")),
  revokeReason: text("why, as it was given"),
};

/** An enrollment token as --json shows it. */
export const tokenShape = object(tokenKeys);

/** An enrollment token. */
export type PlainToken = ValueOf<typeof tokenShape>;

/** An enrollment token as --json shows it, from what the server says. */
export function plainToken(token: EnrollmentToken, nowMs: number = Date.now()): PlainToken {
  const { tokenId, description, projectIds, secretIds, anyVersion, uses, maxUses } = token;
  const {
    sourceCidrs,
    hostnamePattern,
    machineNamePattern,
    createdBy,
    createdByName,
    revokeReason,
  } = token;
  return {
    tokenId,
    state: stateOf(token, nowMs),
    description,
    projectIds,
    secretIds,
    anyVersion,
    uses,
    maxUses,
    lastUsedAt: momentOf(token.lastUsedAt),
    machineSeconds: token.machineLifetime ? durationMs(token.machineLifetime) / 1000 : 0,
    sourceCidrs,
    hostnamePattern,
    machineNamePattern,
    createdAt: iso(token.createdAt),
    createdBy,
    createdByName,
    expiresAt: iso(token.expiresAt),
    revokedAt: momentOf(token.revokedAt),
    revokeReason,
  };
}

// In the order of the server's own checks.
function stateOf(token: EnrollmentToken, nowMs: number): (typeof tokenStates)[number] {
  if (token.revokedAt) return "revoked";
  if (Date.parse(iso(token.expiresAt)) <= nowMs) return "expired";
  return token.uses >= token.maxUses ? "exhausted" : "open";
}

/** The names of a scope's projects and secrets, as --json shows them. */
export const namesShape = mapOf(
  text("what this id is called"),
  "names of the projects and secrets by id, as far as they may be seen",
);

/** The names of a scope's projects and secrets. */
export async function scopeNames(
  client: NameSource,
  { projectIds, secretIds }: Pick<PlainToken, "projectIds" | "secretIds">,
): Promise<Readonly<Record<string, string>>> {
  return Object.fromEntries(await namesOf(client, [...projectIds, ...secretIds]));
}

/** Ids as people read them: by name where one is known. */
export function namedText(ids: readonly string[], names: Readonly<Record<string, string>>): string {
  return ids
    .map((id) => names[id] ?? id)
    .toSorted()
    .join(", ");
}

/** Shows what a token is, each restriction that it has, and what its machines get. */
export function showToken(
  token: PlainToken & { readonly names: Readonly<Record<string, string>> },
  screen: Screen,
): void {
  const facts: [string, string][] = [
    ["token", token.tokenId],
    ["state", token.state],
    ["description", token.description],
    ["projects", namedText(token.projectIds, token.names)],
    ["secrets", token.secretIds.length === 0 ? "none" : namedText(token.secretIds, token.names)],
    ["versions", token.anyVersion ? "all" : "the current one only"],
    ["uses", usesText(token)],
    ["machines live", exactText(token.machineSeconds)],
    ["from", token.sourceCidrs.join(", ")],
    ["host names", token.hostnamePattern],
    ["machine names", token.machineNamePattern],
    ["made", `${momentText(token.createdAt)} by ${token.createdByName || token.createdBy}`],
    ["expires", momentText(token.expiresAt)],
    ["revoked", token.revokedAt === null ? "" : momentText(token.revokedAt)],
    ["reason", token.revokeReason],
  ];
  screen.facts(facts.filter(([, value]) => value !== ""));
}

function usesText({ uses, maxUses, lastUsedAt }: PlainToken): string {
  const last = lastUsedAt === null ? "" : `, the last ${relativeTime(lastUsedAt)}`;
  return `${uses} of ${maxUses}${last}`;
}

const units = [
  ["d", 86_400],
  ["h", 3600],
  ["min", 60],
] as const;

// In the largest unit that gives a whole number: a lifetime is nothing to round.
function exactText(seconds: number): string {
  const [name, size] = units.find(([, each]) => seconds % each === 0) ?? ["s", 1];
  return `${seconds / size} ${name}`;
}
