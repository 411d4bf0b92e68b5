import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  OutcomeSchema,
  type Record as AuditRecord,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { Command } from "commander";
import { UsageError } from "../failure.ts";
import { printJson, printTable } from "../output.ts";
import { actAs } from "../profile.ts";

/** `sallyport audit list`: the newest records of the vault. */
export function auditList(): Command {
  return new Command("list")
    .description("List the newest records of the vault")
    .option("--limit <count>", "how many, up to 200", "50")
    .option("--machine <id>", "only what concerns this machine")
    .option("--action <name...>", "only these actions")
    .option("--json", "print the records as JSON")
    .addHelpText("after", "\nExample:\n  sallyport audit list --action secret.read secret.read.denied")
    .action(async (options: { limit: string; machine?: string; action?: string[]; json?: true }) => {
      const pageSize = Number(options.limit);
      if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > 200)
        throw new UsageError("--limit takes 1 to 200");
      const query = { pageSize, machineId: options.machine ?? "", actions: options.action ?? [] };
      const { records } = await actAs("user", (client) => client.services.audit.listRecords(query));
      if (options.json) return printJson(records.map(plain));
      const rows = records.map((record) => {
        const { seq, time, action, outcome, actor, object, reason } = plain(record);
        return [seq, time.slice(0, 19), action, outcome, actor, object, reason];
      });
      printTable(["SEQ", "TIME", "ACTION", "OUTCOME", "ACTOR", "OBJECT", "REASON"], rows);
    });
}

function plain(record: AuditRecord) {
  const { action, reason, sourceIp, eventId, decisionId } = record;
  return {
    seq: String(record.seq),
    time: record.time ? timestampDate(record.time).toISOString() : "",
    action,
    outcome: enumName(OutcomeSchema, record.outcome).toLowerCase(),
    actor: record.actorId || "-",
    object: record.secretId || record.subjectId || record.machineId || record.projectId,
    reason,
    sourceIp,
    eventId,
    decisionId,
    detail: record.detail,
  };
}
