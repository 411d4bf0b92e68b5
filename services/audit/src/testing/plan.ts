import type { Database } from "@sallyport/postgres";

type Plan = {
  readonly "Node Type": string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Join Filter"?: number;
  readonly "Rows Removed by Index Recheck"?: number;
  readonly Plans?: readonly Plan[];
};

type Query = Pick<Database, "query">;

/** Runs every statement twice: explained, to count the rows that it looks at, and as it is. */
export function explaining(database: Query): Query & { lookedAt(): number } {
  let looked = 0;
  return {
    async query(text, values) {
      const [row] = await database.query<{ "QUERY PLAN": readonly [{ readonly Plan: Plan }] }>(
        `explain (analyze, format json) ${text}`,
        values,
      );
      if (row) looked += rowsOf(row["QUERY PLAN"][0].Plan);
      return database.query(text, values);
    },
    lookedAt: () => looked,
  };
}

/**
 * Returns the number of rows that a plan read from tables and indexes, and of pairs of rows that it
 * compared without a match.
 */
function rowsOf(plan: Plan): number {
  const below = (plan.Plans ?? []).reduce((sum, one) => sum + rowsOf(one), 0);
  const compared = (plan["Rows Removed by Join Filter"] ?? 0) * plan["Actual Loops"];
  if (!/^(Seq|Index|Index Only|Bitmap Heap|Bitmap Index) Scan$/.test(plan["Node Type"]))
    return below + compared;
  const removed =
    (plan["Rows Removed by Filter"] ?? 0) + (plan["Rows Removed by Index Recheck"] ?? 0);
  return below + compared + (plan["Actual Rows"] + removed) * plan["Actual Loops"];
}
