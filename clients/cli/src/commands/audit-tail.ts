import { setTimeout as sleep } from "node:timers/promises";
import type { Record as AuditRecord } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { defineCommand } from "../definition/define.ts";
import { durationWithin } from "../definition/bounded.ts";
import { integer } from "../definition/options.ts";
import type { Names } from "../find/names.ts";
import { type Filters, filterOptions, queryOf } from "../records/filters.ts";
import { after, newest } from "../records/follow.ts";
import type { Session } from "../app/session.ts";
import { stopSignal } from "../app/stop-signal.ts";
import { pad } from "../terminal/width.ts";
import {
  type RecordView,
  actorText,
  recordShape,
  recordViews,
  resultText,
} from "../views/record.ts";

/**
 * `sallyport audit tail`: the newest records, and each further one as it comes, until it is
 * stopped.
 */
export const auditTail = defineCommand({
  description:
    "Polls for records after the last one: none is missed and none shown twice. Ctrl-C ends " +
    "it. With --json each record is one line.",
  args: {},
  options: {
    last: integer(
      "how many of those that are there already (10 if not given)",
      {
        min: 0,
        max: 200,
      },
      { default: 10 },
    ),
    every: durationWithin("2s", "how often to ask", { min: "1s", max: "1h" }),
    ...filterOptions,
  },
  examples: [
    ["sallyport audit tail", "watch what happens in the vault"],
    ["sallyport audit tail --outcome denied --last 0", "refusals from now on"],
    [
      "sallyport audit tail --json | jq -r '[.time, .action, .actorName] | @tsv'",
      "one record a line",
    ],
  ],
  json: recordShape,
  lines: true,
  async run({ options: { last, every, ...filters }, context: { session }, emit }) {
    const stopped = stopSignal();
    let names: Names = new Map();
    const show = async (records: readonly AuditRecord[]): Promise<void> => {
      if (records.length === 0) return;
      const shown = await session.asUser((client) => recordViews(client, records, names));
      ({ names } = shown);
      shown.views.forEach(emit);
    };
    await Promise.race([stopped, tail(session, filters, { last, pauseMs: every * 1000 }, show)]);
    // Requests in flight at that time are abandoned.
    setTimeout(() => process.exit(), 200).unref();
    return undefined;
  },
  show(record, screen) {
    const line = [
      record.time.slice(11, 19),
      pad(record.action, 20),
      pad(actorText(record), 12),
      record.about,
      record.outcome === "denied" ? resultText(record) : "",
    ];
    screen.mark(
      record.outcome === "denied" ? "bad" : "ok",
      line.join("  ").trimEnd(),
      countText(record),
    );
  },
});

type Pace = { readonly last: number; readonly pauseMs: number };
type Show = (records: readonly AuditRecord[]) => Promise<void>;

/**
 * Ends only by a signal; throws when the log cannot be reached for longer than an action may take.
 */
async function tail(
  session: Session,
  filters: Filters,
  { last, pauseMs }: Pace,
  show: Show,
): Promise<void> {
  const query = await session.asUser((client) => queryOf(client, filters));
  const first = await session.asUser((client) => newest(client, query, last));
  await show(first.records);
  for (let { afterSeq } = first; ;) {
    const batch = await session.asUser((client) => after(client, query, afterSeq));
    ({ afterSeq } = batch);
    await show(batch.records);
    if (!batch.more) await sleep(pauseMs);
  }
}

// One record may stand for many refusals of a kind.
function countText({ detail }: RecordView): string | undefined {
  const { count } = detail;
  return count === undefined || count === "1" ? undefined : `× ${count}`;
}
