import {
  ActorKindSchema,
  type Record as AuditRecord,
  OutcomeSchema,
  SeveritySchema,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { enumName } from "@sallyport/proto/names";
import {
  type ValueOf,
  integer,
  listOf,
  mapOf,
  nullable,
  object,
  text,
  time,
} from "../definition/shape.ts";
import { type NameSource, type Names, namesOf } from "../find/names.ts";
import { momentOf } from "./moment.ts";

/** A record of the log, as JSON. */
export const recordShape = object(
  {
    seq: text("the record's number, as text since it may pass what JSON numbers hold"),
    time: time("when it happened, by the clock of the process that reported it"),
    recordedAt: time("when the log took it; --since and --until go by this"),
    action: text("what happened, such as `secret.read`"),
    outcome: text("`allowed` or `denied`"),
    reason: text("why it was refused; empty when it was not"),
    severity: text("`info`, `notice`, `warning` or `critical`"),
    emitter: text("the process that reported it"),
    actorKind: text("`machine`, `user`, `service`, or `unknown` for a stranger"),
    actor: text("the id of who did it; empty for a stranger"),
    actorName: nullable(text("what the actor is called now; null where that is not known")),
    object: text("the id of the secret, subject, machine or project concerned; empty when none is"),
    about: text(
      "everything concerned besides the actor, by the names that it has now; empty when nothing is",
    ),
    vaultId: text("the vault concerned; empty when none is"),
    projectId: text("the project concerned; empty when none is"),
    secretId: text("the secret concerned; empty when none is"),
    secretVersion: integer("the version concerned; 0 when none is"),
    machineId: text("the machine concerned; empty when none is"),
    subjectId: text("what else is concerned, such as a token or a user; empty when nothing is"),
    sourceIp: text("the client's address, as the gateway says"),
    client: text("the program that the client said it is"),
    eventId: text("the record's id"),
    decisionId: text("policy's decision; empty when there was none"),
    policyVersion: integer("the version of the rules that decided; 0 when none did"),
    requestDigest: text(
      "the SHA-256 digest of the signed request in hex; empty when there was none",
    ),
    refused: listOf(
      object({
        secretId: text("the secret, as it was asked for"),
        reason: text("why it was refused"),
      }),
      "the secrets that one decision refused when they are more than one, 16 at most; `detail` " +
        "counts all",
    ),
    detail: mapOf(text("what the catalogue allows for the action"), "more of it"),
  },
  "the record",
);

/** A record as commands print it. */
export type RecordView = ValueOf<typeof recordShape>;

/** Records as commands print them, and what everything in them is called. */
export type Records = { readonly views: readonly RecordView[]; readonly names: Names };

/**
 * Records as the server returns them, for commands to print; names in `known` are not looked up
 * again.
 */
export async function recordViews(
  client: NameSource,
  records: readonly AuditRecord[],
  known?: Names,
): Promise<Records> {
  const names = await namesOf(client, records.flatMap(idsOf), known);
  return { views: records.map((record) => viewOf(record, names)), names };
}

function idsOf({
  actorId,
  secretId,
  projectId,
  machineId,
  subjectId,
  refused,
}: AuditRecord): string[] {
  const listed = refused.map((secret) => secret.secretId);
  return [actorId, secretId, projectId, machineId, subjectId, ...listed].filter((id) => id !== "");
}

function viewOf(record: AuditRecord, names: Names): RecordView {
  const { actorId: actor, secretId, subjectId, machineId, projectId } = record;
  const concerned = secretId || subjectId || machineId || projectId;
  const { action, reason, emitter, vaultId, secretVersion, sourceIp, client, eventId } = record;
  const { decisionId, policyVersion, detail } = record;
  return {
    seq: String(record.seq),
    time: momentOf(record.time) ?? never,
    recordedAt: momentOf(record.recordedAt) ?? never,
    action,
    outcome: enumName(OutcomeSchema, record.outcome).toLowerCase(),
    reason,
    severity: enumName(SeveritySchema, record.severity).toLowerCase(),
    emitter,
    actorKind: enumName(ActorKindSchema, record.actorKind).toLowerCase(),
    actor,
    actorName: names.get(actor) ?? null,
    object: concerned,
    about: aboutText(record, names),
    vaultId,
    projectId,
    secretId,
    secretVersion,
    machineId,
    subjectId,
    sourceIp,
    client,
    eventId,
    decisionId,
    policyVersion,
    requestDigest: Buffer.from(record.requestDigest).toString("hex"),
    refused: record.refused.map(({ secretId: id, reason: why }) => ({ secretId: id, reason: why })),
    detail,
  };
}

// The secret rather than its project, and a machine unless it is the actor.
function aboutText(record: AuditRecord, names: Names): string {
  const { actorId, secretId, projectId, subjectId, machineId } = record;
  const secretIds = record.refused.length > 0 ? shortened(record) : [secretId];
  const project = secretIds.join("") === "" ? projectId : "";
  const ids = [...secretIds, subjectId, project, machineId];
  const others = ids.filter((id) => id !== "" && id !== actorId);
  return [...new Set(others)].map((id) => names.get(id) ?? id).join(", ");
}

const shownInLine = 2;

// The first of several secrets, and how many more there are.
function shortened({ refused, detail }: AuditRecord): string[] {
  const all = Math.max(refused.length, Number(detail["secrets"]) || 0);
  const shown = refused.slice(0, all > shownInLine + 1 ? shownInLine : all);
  const more = all - shown.length;
  return [...shown.map((secret) => secret.secretId), more > 0 ? `${more} more` : ""];
}

const never = "1970-01-01T00:00:00.000Z";

/** The actor's name, for people. */
export function actorText({ actor, actorName, actorKind }: RecordView): string {
  return actorName ?? (actor || (actorKind === "unknown" ? "a stranger" : "-"));
}

/** The outcome, in a word. */
export function resultText({ outcome, reason }: RecordView): string {
  return outcome === "allowed" ? "ok" : reason || outcome;
}
