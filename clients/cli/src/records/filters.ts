import type { Sallyport } from "@sallyport/client";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type ListRecordsRequestSchema,
  Outcome,
  RecordScope,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { events } from "@sallyport/proto/catalogue/events";
import { isId } from "@sallyport/proto/ids";
import { choice, flag, list, text } from "../definition/options.ts";
import { UsageError } from "../app/failure.ts";
import { findMachine, findProject, locateSecret, undefinedIfAbsent } from "../find/lookup.ts";
import { findUser } from "../find/people.ts";

/** A query of the log. */
export type RecordQuery = MessageInitShape<typeof ListRecordsRequestSchema>;

const actionNames = Object.keys(events);

/** The options that say which records; all that are given must hold. */
export const filterOptions = {
  actor: text("done by this user, machine or process, by name or id", {
    value: "name",
    complete: "machines",
  }),
  machine: text("about this machine, by name or id", { value: "machine", complete: "machines" }),
  secret: text("about this secret, by name or id", { value: "secret", complete: "secrets" }),
  project: text("about this project, by name or id", { value: "project", complete: "projects" }),
  subject: text("about this other thing, such as a token's or user's id", { value: "id" }),
  action: list("these actions; secret.* is all of secrets", {
    value: "names",
    complete: { words: actionNames },
  }),
  outcome: choice("what was allowed, or what was denied", ["allowed", "denied"]),
  reason: list("refused for these reasons, such as NOT_GRANTED", { value: "reasons" }),
  source: text("from this address, or network such as 192.0.2.0/24", { value: "address" }),
  deployment: flag(
    "what belongs to no vault: strangers turned away, processes started; only in the operator's " +
      "vault",
  ),
};

/** The values of those options. */
export type Filters = {
  readonly actor: string | undefined;
  readonly machine: string | undefined;
  readonly secret: string | undefined;
  readonly project: string | undefined;
  readonly subject: string | undefined;
  readonly action: readonly string[];
  readonly outcome: "allowed" | "denied" | undefined;
  readonly reason: readonly string[];
  readonly source: string | undefined;
  readonly deployment: boolean;
};

/**
 * Makes a query of the options, names looked up. Throws NOT_FOUND, NAME_AMBIGUOUS or UsageError.
 */
export async function queryOf(client: Sallyport, filters: Filters): Promise<RecordQuery> {
  const { actor, machine, secret, project, subject, action, outcome, reason, source, deployment } =
    filters;
  if (!deployment) refuseUnlisted(action);
  const [actorId, machineId, secretId, projectId] = await Promise.all([
    actor === undefined ? "" : actorIdOf(client, actor),
    machine === undefined ? "" : machineIdOf(client, machine),
    secret === undefined ? "" : secretIdOf(client, secret, project),
    project === undefined ? "" : projectIdOf(client, project),
  ]);
  return {
    actorId,
    machineId,
    secretId,
    projectId,
    subjectId: subject ?? "",
    actions: action.flatMap(expanded),
    outcome: outcome === undefined ? Outcome.UNSPECIFIED : outcomes[outcome],
    reasons: [...reason],
    sourceCidr: source ?? "",
    scope: deployment ? RecordScope.DEPLOYMENT : RecordScope.VAULT,
  };
}

const outcomes = { allowed: Outcome.ALLOWED, denied: Outcome.DENIED };
const processes = new Set(["gateway", "identity", "policy", "secrets", "crypto", "audit"]);

// A misspelt action would be an empty list, which reads like good news.
function expanded(action: string): string[] {
  const isPrefix = action.endsWith("*");
  const found = actionNames.filter((name) =>
    isPrefix ? name.startsWith(action.slice(0, -1)) : name === action,
  );
  if (found.length > 0) return found;
  const noun = action.split(".")[0] ?? "";
  const near = actionNames.filter((name) => name.startsWith(`${noun}.`));
  const nouns = [...new Set(actionNames.map((name) => `${name.split(".")[0] ?? ""}.*`))];
  throw new UsageError(
    `there is no action ${action}`,
    `${near.length > 0 ? "there are" : "actions are"} ` +
      (near.length > 0 ? near : nouns).join(", "),
  );
}

// Actions of a process that concern no particular vault. A vault's list of them would be empty, as
// if they had never happened.
const ofNoVault = new Set(["process.started"]);

function refuseUnlisted(action: readonly string[]): void {
  const actions = action.flatMap(expanded);
  if (actions.length === 0 || !actions.every((each) => ofNoVault.has(each))) return;
  throw new UsageError(
    `${action.join(", ")} belongs to no vault`,
    "give --deployment too, as a user of the operator's vault",
  );
}

// An id is taken as it is: what is gone permanently is still in the log.
async function machineIdOf(client: Sallyport, key: string): Promise<string> {
  return isId("mch", key) ? key : (await findMachine(client, key)).machineId;
}

async function secretIdOf(
  client: Sallyport,
  key: string,
  project: string | undefined,
): Promise<string> {
  return isId("sec", key) ? key : (await locateSecret(client, key, project)).secretId;
}

async function projectIdOf(client: Sallyport, key: string): Promise<string> {
  return isId("prj", key) ? key : (await findProject(client, key)).projectId;
}

async function actorIdOf(client: Sallyport, key: string): Promise<string> {
  if (isId("usr", key) || isId("mch", key) || processes.has(key)) return key;
  const user = await findUser(client, key).catch(undefinedIfAbsent);
  return user?.userId ?? (await findMachine(client, key)).machineId;
}
