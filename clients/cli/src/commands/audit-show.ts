import type { Sallyport } from "@sallyport/client";
import {
  type Record as AuditRecord,
  RecordOrder,
  RecordScope,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { meaningOf } from "@sallyport/proto/catalogue/events";
import { isId } from "@sallyport/proto/ids";
import { defineCommand } from "../definition/define.ts";
import { flag, required } from "../definition/options.ts";
import { object, mapOf, text } from "../definition/shape.ts";
import { UsageError } from "../app/failure.ts";
import { present, undefinedIfAbsent } from "../find/lookup.ts";
import { momentText } from "../terminal/time.ts";
import { actorText, recordShape, recordViews, resultText } from "../views/record.ts";

/** `sallyport audit show RECORD`: one record, every field. */
export const auditShow = defineCommand({
  args: { record: required("its number (SEQ) or its id (evt_…)") },
  options: {
    deployment: flag(
      "the number is of a record that belongs to no vault; only in the operator's vault",
    ),
  },
  examples: [
    ["sallyport audit show 42", "the record of this number"],
    ["sallyport audit show evt_0123456789abcdefghjk --json", "by its id, for programs"],
  ],
  json: object({
    record: recordShape,
    names: mapOf(text("what it is called now"), "what is called how in the record, by id"),
  }),
  run: ({ args, options: { deployment }, context }) =>
    context.session.asUser(async (client) => {
      const found = await find(client, args.record, deployment);
      const { views, names } = await recordViews(client, found ? [found] : []);
      return {
        record: present(views[0], `record ${args.record}`),
        names: Object.fromEntries(names),
      };
    }),
  show({ record, names }, screen) {
    const named = (id: string): string => (names[id] === undefined ? id : `${names[id]} (${id})`);
    const version = record.secretVersion === 0 ? "" : `, version ${record.secretVersion}`;
    const decision =
      record.decisionId === "" ? "" : `${record.decisionId}, rules ${record.policyVersion}`;
    const facts: [string, string][] = [
      ["record", `${record.seq} (${record.eventId})`],
      ["action", record.action],
      ["meaning", meaningOf(record.action) ?? ""],
      ["result", resultText(record)],
      ["severity", record.severity],
      ["happened", momentText(record.time)],
      ["recorded", momentText(record.recordedAt)],
      ["reported by", record.emitter],
      ["actor", record.actor === "" ? actorText(record) : named(record.actor)],
      ["vault", record.vaultId],
      ["project", named(record.projectId)],
      ["secret", record.secretId === "" ? "" : named(record.secretId) + version],
      ...record.refused.map(({ secretId, reason }): [string, string] => [
        "refused",
        `${named(secretId)}: ${reason}`,
      ]),
      ["machine", named(record.machineId)],
      ["subject", named(record.subjectId)],
      ["address", record.sourceIp],
      ["client", record.client],
      ["decision", decision],
      ["request", record.requestDigest],
      ...Object.entries(record.detail),
    ];
    screen.facts(facts.filter(([, value]) => value !== ""));
  },
});

async function find(
  client: Sallyport,
  key: string,
  deployment: boolean,
): Promise<AuditRecord | undefined> {
  const { audit } = client.services;
  if (isId("evt", key))
    return (await audit.getRecord({ eventId: key }).catch(undefinedIfAbsent))?.record;
  const seq = /^[1-9]\d{0,17}$/.test(key) ? BigInt(key) : undefined;
  if (seq === undefined)
    throw new UsageError(`"${key}" is no record`, "give its number, or its id (evt_…)");
  const { records } = await audit.listRecords({
    pageSize: 1,
    order: RecordOrder.OLDEST_FIRST,
    afterSeq: seq - 1n,
    scope: deployment ? RecordScope.DEPLOYMENT : RecordScope.VAULT,
  });
  return records.find((record) => record.seq === seq);
}
