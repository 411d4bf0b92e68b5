import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  OutcomeSchema,
  type Record as AuditRecord,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { defineCommand } from "../command/define.ts";
import { integerOr, list, textOr } from "../command/options.ts";
import { listOf, mapOf, object, text, time } from "../command/shape.ts";
import { relativeTime } from "../terminal/time.ts";

/** `sallyport audit list`: the newest records of the vault. */
export const auditList = defineCommand({
  args: {},
  options: {
    limit: integerOr(50, "how many", { min: 1, max: 200 }),
    machine: textOr("", "only what concerns this machine", { value: "id" }),
    action: list("only these actions", { value: "names" }),
  },
  examples: [
    ["sallyport audit list --action secret.read,secret.read.denied", "who read what"],
    ["sallyport audit list --machine mch_0123456789abcdefghjk", "what one machine did"],
  ],
  json: listOf(
    object({
      seq: text("the record's number, as text since it may pass what JSON numbers hold"),
      time: time("when it happened"),
      action: text("what happened"),
      outcome: text("`allowed` or `denied`"),
      actor: text("who did it; empty for a stranger"),
      object: text("the secret, machine, project or other thing concerned; empty when none is"),
      reason: text("why it was refused; empty when it was not"),
      sourceIp: text("the client's address, as the gateway says"),
      client: text("the program that the client said it is"),
      eventId: text("the record's id"),
      decisionId: text("policy's decision; empty when there was none"),
      detail: mapOf(text("what the catalogue allows for the action"), "more of it"),
    }),
  ),
  async run({ options: { limit: pageSize, machine: machineId, action }, context }) {
    const query = { pageSize, machineId, actions: [...action] };
    const { records } = await context.session.asUser((client) => client.services.audit.listRecords(query));
    return records.map(plain);
  },
  show(records, screen) {
    screen.table(
      [
        { title: "SEQ", cell: ({ seq }) => seq, align: "right" },
        { title: "WHEN", cell: ({ time: when }) => relativeTime(when) },
        { title: "ACTION", cell: ({ action }) => action, min: 14 },
        {
          title: "OUTCOME",
          cell: ({ outcome }) => outcome,
          style: ({ outcome }) => (outcome === "denied" ? "red" : undefined),
        },
        { title: "ACTOR", cell: ({ actor }) => actor || "-", min: 8 },
        { title: "OBJECT", cell: ({ object: of }) => of || "-", min: 8 },
        { title: "REASON", cell: ({ reason }) => reason, min: 8 },
      ],
      records,
      "There are no such records.",
    );
  },
});

function plain(record: AuditRecord) {
  const { action, reason, sourceIp, client, eventId, decisionId, detail } = record;
  return {
    seq: String(record.seq),
    time: record.time ? timestampDate(record.time).toISOString() : "1970-01-01T00:00:00.000Z",
    action,
    outcome: enumName(OutcomeSchema, record.outcome).toLowerCase(),
    actor: record.actorId,
    object: record.secretId || record.subjectId || record.machineId || record.projectId,
    reason,
    sourceIp,
    client,
    eventId,
    decisionId,
    detail,
  };
}
