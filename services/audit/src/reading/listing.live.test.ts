import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Database, migrate, openDatabase } from "@sallyport/postgres";
import {
  type ListRecordsRequest,
  ListRecordsRequestSchema,
  Outcome,
  RecordOrder,
  RecordScope,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import {
  type ServiceTestDatabase,
  createServiceDatabase,
  fillLog,
  filledLog,
} from "@sallyport/test/infra";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { auditMethods } from "../rpc/records.ts";
import { mostAddresses } from "../store/bounds.ts";
import { listingSettings, openListingDatabase } from "../store/listing.ts";
import { explaining } from "../testing/plan.ts";

const size = 200_000;
const early = size / 10;
const pageSize = 50;
const { NEWEST_FIRST, OLDEST_FIRST } = RecordOrder;

type Asked = Partial<Omit<ListRecordsRequest, "$typeName" | "$unknown">>;
type Row = {
  readonly seq: number;
  readonly vault: string;
  readonly actor: string;
  readonly machine: string;
  readonly secret: string;
  readonly project: string;
  readonly subject: string;
  readonly action: string;
  readonly outcome: Outcome;
  readonly reason: string;
  readonly source: string;
};

let testDatabase: ServiceTestDatabase;
let database: Database;
let rows: Row[];

beforeAll(async () => {
  testDatabase = await createServiceDatabase("audit");
  await migrate({
    url: testDatabase.ownerUrl,
    folder: new URL("../../migrations", import.meta.url),
  });
  await fillLog(testDatabase.ownerUrl, size);
  database = openListingDatabase(testDatabase.servingUrl);
  rows = await database.query<Row>(
    `select seq::int, vault_id as vault, actor_id as actor, machine_id as machine, secret_id as secret,
     project_id as project, subject_id as subject, action, outcome, reason, source_ip as source
     from records order by seq`,
  );
}, 180_000);

afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await testDatabase[Symbol.asyncDispose]();
});

function methodsOn(source: Pick<Database, "query">) {
  return auditMethods({ database: source, operatorVault: filledLog.vaultId });
}

async function list(asked: Asked, source: Pick<Database, "query"> = database) {
  const reader = { principal: { vaultId: filledLog.vaultId } };
  const { records, nextPageToken } = await methodsOn(source).listRecords(
    reader,
    create(ListRecordsRequestSchema, { pageSize, ...asked }),
  );
  return { seqs: records.map(({ seq }) => Number(seq)), nextPageToken };
}

/** Lists, and counts what all its statements together looked at. */
async function examine(asked: Asked): Promise<number> {
  const explained = explaining(database);
  await list(asked, explained);
  return explained.lookedAt();
}

const seconds = (count: number) => timestampFromMs(filledLog.begin.getTime() + count * 1000);
const within = (network: string) => (row: Row) => row.source.startsWith(network);
const oneOf =
  (column: "action" | "reason", ...values: string[]) =>
  (row: Row) =>
    values.includes(row[column]);

type Case = {
  readonly name: string;
  readonly asked: Asked;
  readonly passes: (row: Row) => boolean;
  /** How many values are looked up one by one; 1 unless given. */
  readonly places?: number;
  /** How many rows lie between those that pass where a page is met by walking. */
  readonly sparse?: number;
};

const { machineId, earlyMachineId, userId, secretId, projectId, tokenId } = filledLog;
const cases: readonly Case[] = [
  { name: "nothing", asked: {}, passes: () => true },
  { name: "actor", asked: { actorId: userId }, passes: ({ actor }) => actor === userId },
  { name: "machine", asked: { machineId }, passes: ({ machine }) => machine === machineId },
  {
    name: "a machine of long ago",
    asked: { machineId: earlyMachineId },
    passes: ({ machine }) => machine === earlyMachineId,
  },
  { name: "secret", asked: { secretId }, passes: ({ secret }) => secret === secretId },
  { name: "project", asked: { projectId }, passes: ({ project }) => project === projectId },
  { name: "subject", asked: { subjectId: tokenId }, passes: ({ subject }) => subject === tokenId },
  {
    name: "the usual action",
    asked: { actions: ["secret.read"] },
    passes: oneOf("action", "secret.read"),
  },
  {
    name: "an action of long ago",
    asked: { actions: ["grant.added"] },
    passes: oneOf("action", "grant.added"),
  },
  {
    name: "actions, one of them twice",
    asked: { actions: ["grant.added", "token.created", "secret.read.denied", "grant.added"] },
    passes: oneOf("action", "grant.added", "token.created", "secret.read.denied"),
    places: 3,
  },
  { name: "an action that never was", asked: { actions: ["vault.sold"] }, passes: () => false },
  {
    name: "what was done",
    asked: { outcome: Outcome.ALLOWED },
    passes: ({ outcome }) => outcome === Outcome.ALLOWED,
  },
  {
    name: "what was refused",
    asked: { outcome: Outcome.DENIED },
    passes: ({ outcome }) => outcome === Outcome.DENIED,
  },
  { name: "reason", asked: { reasons: ["NOT_GRANTED"] }, passes: oneOf("reason", "NOT_GRANTED") },
  {
    name: "reasons, one of long ago",
    asked: { reasons: ["TOKEN_EXHAUSTED", "PROJECT_FROZEN"] },
    passes: oneOf("reason", "TOKEN_EXHAUSTED", "PROJECT_FROZEN"),
    places: 2,
  },
  {
    name: "the usual address",
    asked: { sourceCidr: "198.51.100.7" },
    passes: within("198.51.100.7"),
  },
  {
    name: "an IPv4-mapped address",
    asked: { sourceCidr: "::ffff:198.51.100.7" },
    passes: within("198."),
  },
  {
    name: "a network of long ago",
    asked: { sourceCidr: "203.0.113.0/24" },
    passes: within("203.0.113."),
    places: 200,
  },
  {
    name: "a network of many addresses",
    asked: { sourceCidr: "10.0.0.0/8", afterTime: seconds(early) },
    passes: ({ source, seq }) => source.startsWith("10.") && seq >= early,
    sparse: 12,
  },
  {
    name: "an IPv6 network",
    asked: { sourceCidr: "2001:db8::/48" },
    passes: within("2001:db8:"),
    places: 50,
  },
  {
    name: "all of IPv4",
    asked: { sourceCidr: "0.0.0.0/0" },
    passes: ({ source }) => !source.includes(":"),
    sparse: 2,
  },
  {
    name: "a network where nobody is",
    asked: { sourceCidr: "172.16.0.0/12" },
    passes: () => false,
  },
  {
    name: "a late beginning",
    asked: { afterTime: seconds(size - 500) },
    passes: ({ seq }) => seq >= size - 500,
  },
  {
    name: "an early beginning",
    asked: { afterTime: seconds(early) },
    passes: ({ seq }) => seq >= early,
  },
  { name: "an early end", asked: { beforeTime: seconds(early) }, passes: ({ seq }) => seq < early },
  {
    name: "a span of time",
    asked: { afterTime: seconds(100_000), beforeTime: seconds(100_100) },
    passes: ({ seq }) => seq >= 100_000 && seq < 100_100,
  },
];

/** What a listing must be, found the plain way. */
function expected(
  { passes }: Pick<Case, "passes">,
  order: RecordOrder,
  { afterSeq = 0, vault = filledLog.vaultId } = {},
): number[] {
  const all = rows.filter((row) => row.vault === vault && row.seq > afterSeq && passes(row));
  return (order === OLDEST_FIRST ? all : all.toReversed()).map(({ seq }) => seq);
}

/** Whether two spans of time would meet, and perhaps hold nothing. */
function isTime(key: string, { asked }: Case): boolean {
  return key.endsWith("Time") && ("afterTime" in asked || "beforeTime" in asked);
}

/**
 * A page and the record that tells whether another follows, for each place; and little more to find
 * the places.
 */
function mostLookedAt({ places = 1, sparse = 1 }: Case): number {
  return (
    places * (pageSize + 1) * sparse + Math.max(10, places, sparse > 1 ? mostAddresses + 10 : 0)
  );
}

const orders = [
  ["newest first", NEWEST_FIRST],
  ["oldest first", OLDEST_FIRST],
] as const;

describe.each(orders)("%s, in 200,000 records", (_, order) => {
  test.each(cases)("by $name: the first page, and little looked at for it", async (one) => {
    const { seqs } = await list({ ...one.asked, order });
    expect(seqs).toEqual(expected(one, order).slice(0, pageSize));
    expect(await examine({ ...one.asked, order })).toBeLessThanOrEqual(mostLookedAt(one));
  });

  test.each(cases)("by $name: the same behind the seq of a tail", async (one) => {
    const afterSeq = BigInt(size - 1000);
    const { seqs } = await list({ ...one.asked, order, afterSeq });
    expect(seqs).toEqual(expected(one, order, { afterSeq: size - 1000 }).slice(0, pageSize));
    expect(await examine({ ...one.asked, order, afterSeq })).toBeLessThanOrEqual(mostLookedAt(one));
  });

  test("what belongs to no vault", async () => {
    const { seqs } = await list({ scope: RecordScope.DEPLOYMENT, order });
    expect(seqs).toEqual(expected({ passes: () => true }, order, { vault: "" }).slice(0, pageSize));
  });

  test("two filters at once", async () => {
    const pairs = cases
      .flatMap((one, index) => cases.slice(index + 1).map((other) => [one, other] as const))
      .filter(
        ([one, other]) =>
          !Object.keys(other.asked).some((key) => key in one.asked || isTime(key, one)),
      )
      .filter((_, index) => index % 4 === 0);
    expect(pairs.length).toBeGreaterThan(50);
    for (const [one, other] of pairs) {
      const { seqs } = await list({ ...one.asked, ...other.asked, order });
      const passes = (row: Row) => one.passes(row) && other.passes(row);
      expect(seqs, `${one.name} and ${other.name}`).toEqual(
        expected({ passes }, order).slice(0, pageSize),
      );
    }
  }, 60_000);

  test("page after page, everything once", async () => {
    for (const name of ["an action of long ago", "a network of long ago"]) {
      const one = cases.find((candidate) => candidate.name === name);
      if (!one) throw new Error(`no case ${name}`);
      const seen: number[] = [];
      let pageToken = "";
      do {
        const page = await list({ ...one.asked, order, pageToken, pageSize: 200 });
        seen.push(...page.seqs);
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      expect(seen).toEqual(expected(one, order));
    }
  }, 60_000);
});

test("there are few statements, and each is planned for its values", async () => {
  await using one = openDatabase({
    url: testDatabase.servingUrl,
    applicationName: "test",
    ...listingSettings,
    poolSize: 1,
  });
  for (const order of [NEWEST_FIRST, OLDEST_FIRST])
    for (const { asked } of [...cases, ...cases]) await list({ ...asked, order }, one);
  const statements = await one.query<{ generic: number; custom: number }>(
    `select generic_plans::int as generic, custom_plans::int as custom from pg_prepared_statements
     where statement like '%from records%' and statement not like '%pg_prepared%'`,
  );
  expect(statements.length).toBeLessThanOrEqual(22);
  expect(statements.filter(({ generic }) => generic > 0)).toEqual([]);
});

test.each([
  ["all", {}],
  ["those of a network", { sourceCidr: "0.0.0.0/0" }],
])("of %s come none that are newer than newest_seq", async (_, narrowed) => {
  // As if the last ten had come between the two looks: whoever goes on after newest_seq would be
  // shown them twice, and one may be from an address that was not there before.
  const newest = size - 10;
  const earlier: Pick<Database, "query"> = {
    async query<R extends object>(text: string, values?: readonly unknown[]): Promise<R[]> {
      const found = await database.query<R>(text, values);
      return text.includes(" as newest")
        ? found.map((row) => ({ ...row, newest: BigInt(newest) }))
        : found;
    },
  };
  const asked = { ...narrowed, order: OLDEST_FIRST, afterSeq: BigInt(size - 40) };
  const { seqs } = await list(asked, earlier);
  expect(seqs).toEqual((await list(asked)).seqs.filter((seq) => seq <= newest));
  expect(seqs.length).toBeGreaterThan(0);
});
