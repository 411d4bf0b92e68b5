import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { RecordOrder } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { defineCommand } from "../definition/define.ts";
import { flag, integer, moment } from "../definition/options.ts";
import { listOf } from "../definition/shape.ts";
import { UsageError } from "../app/failure.ts";
import { everyPage } from "../find/pages.ts";
import { filterOptions, queryOf } from "../records/filters.ts";
import { relativeTime } from "../terminal/time.ts";
import { actorText, recordShape, recordViews, resultText } from "../views/record.ts";

const defaultLimit = 50;

/** `sallyport audit list`: records of the vault, newest first. */
export const auditList = defineCommand({
  description: "Shows the newest 50 by default. All given filters must hold.",
  args: {},
  options: {
    limit: integer(`how many; ${defaultLimit} if not given`, { min: 1, max: 1_000_000 }),
    all: flag("all of them, however many"),
    oldestFirst: flag("begin with the oldest"),
    since: moment(
      "recorded at this time or later: 2026-03-14, 2026-03-14T15:09Z, or how long ago, such as 2h",
    ),
    until: moment("recorded before this time"),
    ...filterOptions,
  },
  examples: [
    [
      "sallyport audit list --action secret.read,secret.read.denied --since 24h",
      "who read what today",
    ],
    ["sallyport audit list --machine runner-1 --outcome denied", "what one machine was refused"],
    ["sallyport audit list --secret DB_URL --project web", "everything about one secret"],
    [
      "sallyport audit list --since 2026-03-01 --until 2026-04-01 --all --json > march.json",
      "a month",
    ],
  ],
  json: listOf(recordShape),
  async run({ options: { limit, all, oldestFirst, since, until, ...filters }, context }) {
    if (all && limit !== undefined)
      throw new UsageError("--all and --limit exclude each other", "give one");
    const wanted = all ? Number.MAX_SAFE_INTEGER : (limit ?? defaultLimit);
    const { views, more } = await context.session.asUser(async (client) => {
      const query = {
        ...(await queryOf(client, filters)),
        order: oldestFirst ? RecordOrder.OLDEST_FIRST : RecordOrder.NEWEST_FIRST,
        ...(since === undefined ? {} : { afterTime: timestampFromMs(since) }),
        ...(until === undefined ? {} : { beforeTime: timestampFromMs(until) }),
      };
      const pageSize = Math.min(wanted + 1, 200);
      const records = await everyPage(async (pageToken) => {
        const page = await client.services.audit.listRecords({ ...query, pageSize, pageToken });
        return { items: page.records, nextPageToken: page.nextPageToken };
      }, wanted + 1);
      const shown = await recordViews(client, records.slice(0, wanted));
      return { ...shown, more: records.length > wanted };
    });
    if (more) context.progress.say(`more follow: --limit ${wanted * 10} or --all shows them`);
    return views;
  },
  show(records, screen) {
    screen.table(
      [
        { title: "SEQ", cell: ({ seq }) => seq, align: "right" },
        { title: "WHEN", cell: ({ time }) => relativeTime(time) },
        { title: "ACTION", cell: ({ action }) => action },
        { title: "ACTOR", cell: actorText, min: 8 },
        { title: "ABOUT", cell: ({ about }) => about || "-", min: 12 },
        {
          title: "RESULT",
          cell: resultText,
          style: ({ outcome }) => (outcome === "denied" ? "red" : undefined),
        },
      ],
      records,
      "There are no such records.",
    );
  },
});
