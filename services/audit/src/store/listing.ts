import { type Database, openDatabase } from "@sallyport/postgres";
import {
  Outcome,
  type Record as AuditRecord,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { type RecordRow, recordColumns, recordOfRow } from "./records.ts";

/**
 * The server's settings for listings: each is planned for the values that it is asked with, and not
 * compiled.
 */
export const listingSettings = { settings: { plan_cache_mode: "force_custom_plan", jit: "off" } };

/** Opens the log's database for listings. */
export function openListingDatabase(url: string): Database {
  return openDatabase({ url, applicationName: "sallyport-audit", ...listingSettings });
}

/**
 * The records to list: those of a vault whose seq lies between two, both excluded, and that pass
 * every filter.
 */
export type Listing = {
  readonly vaultId: string;
  readonly aboveSeq: bigint;
  readonly belowSeq: bigint;
  readonly oldestFirst: boolean;
  readonly limit: number;
  readonly filters: Filters;
};

/**
 * Empty texts and lists, UNSPECIFIED and undefined let everything pass. A value stands in a list
 * once.
 */
export type Filters = {
  readonly secretId: string;
  readonly machineId: string;
  readonly subjectId: string;
  readonly actorId: string;
  readonly projectId: string;
  readonly actions: readonly string[];
  readonly reasons: readonly string[];
  readonly outcome: Outcome;
  /** An address or a network, as Postgres reads inet. */
  readonly network: string | undefined;
  /**
   * All addresses of the network that there are, when they are few enough to be looked up one by
   * one.
   */
  readonly addresses: readonly string[] | undefined;
};

type Column = {
  readonly column: string;
  readonly type: "text" | "smallint" | "inet";
  /** The rows that are in the index of the column; all when empty. */
  readonly indexed: string;
  /** The values that pass; null when all do. */
  readonly values: (filters: Filters) => readonly (string | number)[] | null;
};

const unlessEmpty = (text: string): readonly string[] | null => (text === "" ? null : [text]);
const unlessNone = (values: readonly string[]): readonly string[] | null =>
  values.length === 0 ? null : values;

function text(column: string, values: Column["values"], indexed = `r.${column} <> ''`): Column {
  return { column, type: "text", indexed, values };
}

// The most selective columns come first: a page is searched by the first column that is asked for.
const columns = [
  text("secret_id", ({ secretId }) => unlessEmpty(secretId)),
  text("machine_id", ({ machineId }) => unlessEmpty(machineId)),
  text("subject_id", ({ subjectId }) => unlessEmpty(subjectId)),
  text("actor_id", ({ actorId }) => unlessEmpty(actorId)),
  {
    column: "source",
    type: "inet",
    indexed: "r.source is not null",
    values: ({ addresses }) => addresses ?? null,
  },
  text("reason", ({ reasons }) => unlessNone(reasons)),
  text("action", ({ actions }) => unlessNone(actions), ""),
  text("project_id", ({ projectId }) => unlessEmpty(projectId)),
  {
    column: "outcome",
    type: "smallint",
    indexed: "",
    values: ({ outcome }) => (outcome === Outcome.UNSPECIFIED ? null : [outcome]),
  },
] as const satisfies readonly Column[];

// $1 vault, $2 and $3 the ends of seq, $4 limit, $5 the values by which a page is looked for, $6
// network, then one for each column. A condition is true where its parameter is null.
const conditions = [
  // "is true": met along the way, never looked up.
  "($6::inet is null or (r.source <<= $6) is true)",
  ...columns.map(({ column, type }, index) => {
    const parameter = `$${7 + index}`;
    return `(${parameter}::${type}[] is null or r.${column} = any(${parameter}))`;
  }),
];

// The records that list a secret among others.
const listedSql = "refused_secrets n join records r on r.seq = n.seq";

const shownColumns = recordColumns
  .split(",")
  .map((name) => `r.${name.trim()}`)
  .join(", ");

type Order = "asc" | "desc";
type Texts = Readonly<Record<Order, string>>;

function inBothOrders(textOf: (order: Order) => string): Texts {
  return { asc: textOf("asc"), desc: textOf("desc") };
}

/**
 * The statements: one for each index, in two orders, whatever is asked for. A text for each set of
 * filters would be thousands, each of which every connection keeps for ever. Instead a filter that
 * is not asked for has a null parameter, and the connections of a listing plan each statement for
 * its values (`plan_cache_mode`): the planner sees `null is null` and drops the condition. Planning
 * costs about half a millisecond.
 *
 * Which index is walked is said here, by comparing and ordering whole keys of it. Left to choose,
 * the planner walks along seq when a value is frequent, and so to the end of the log when it was
 * frequent only long ago. Several values are several places in an index, each in the order of seq:
 * the page is merged of the first of each.
 */
const alongSeq = inBothOrders(
  (order) => `select ${shownColumns} from records r
where (r.vault_id, r.seq) > ($1, $2) and (r.vault_id, r.seq) < ($1, $3) and $5::text[] is null
  and ${conditions.join("\n  and ")}
order by r.vault_id ${order}, r.seq ${order} limit $4`,
);
const byColumn = columns.map(({ column, type, indexed }) =>
  inBothOrders((order) => {
    const others = [...conditions, ...(unlessEmpty(indexed) ?? [])];
    const along = (from: string, keys: string, passing: readonly string[]): string =>
      `(select ${shownColumns} from ${from}
  where (${keys}) > ($1, wanted.value, $2) and (${keys}) < ($1, wanted.value, $3)
    and ${passing.join("\n    and ")}
  order by ${keys.replaceAll(",", ` ${order},`)} ${order} limit $4)`;
    const places = [along("records r", `r.vault_id, r.${column}, r.seq`, others)];
    // A denial that lists several secrets has a row of its own for each.
    if (column === "secret_id")
      places.push(along(listedSql, "n.vault_id, n.secret_id, n.seq", conditions));
    return `select found.* from unnest($5::${type}[]) as wanted (value) cross join lateral (
${places.join("\nunion all\n")}
) as found order by seq ${order} limit $4`;
  }),
);

/** Returns the statement that lists, and its values. */
export function listingStatement(listing: Listing): {
  readonly text: string;
  readonly values: unknown[];
} {
  const { vaultId, aboveSeq, belowSeq, oldestFirst, limit, filters } = listing;
  const asked = columns.map(({ values }) => values(filters));
  const first = asked.findIndex((values) => values !== null);
  const texts = byColumn[first] ?? alongSeq;
  const others = asked.map((values, index) => (index === first ? null : values));
  const span = [vaultId, String(aboveSeq), String(belowSeq), limit];
  return {
    text: texts[oldestFirst ? "asc" : "desc"],
    values: [...span, asked[first] ?? null, filters.network ?? null, ...others],
  };
}

/** Returns the first records of a listing, in its order. */
export async function listRecords(
  database: Pick<Database, "query">,
  listing: Listing,
): Promise<AuditRecord[]> {
  const statement = listingStatement(listing);
  return (await database.query<RecordRow>(statement.text, statement.values)).map(recordOfRow);
}
