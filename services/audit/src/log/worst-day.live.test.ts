import { randomBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import type { Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { RecordSchema } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { type Emitter, ruleOf } from "@sallyport/proto/catalogue";
import { newId } from "@sallyport/proto/ids";
import { expect, test } from "vitest";
import { defaultRecordsPerDay, weightOf } from "./budget.ts";
import { append, createTestLog, event } from "../testing/writer.ts";

const measured = 3_000;
const mostListed = 16;
const gigabyte = 1e9;
const minutes = 1_440;

// What others bound, in records a day: the counts of lib/audit-events (50 kinds and what is left of
// them, each at most a record a minute), of one gateway, policy and identity each; and what
// identity's and policy's budgets let through.
const kinds = 51 * minutes;
const heldRefusals = 10 * minutes + 20;
const heldSteps = 11;
const enrollmentBurst = 25_000;

const vaultId = newId("vlt");
const [machineId, originId] = [newId("mch"), newId("tok")];
const text = (bytes: number) => randomBytes(bytes).toString("base64").slice(0, bytes);
const address = () =>
  Array.from({ length: 8 }, () =>
    (0x1000 + (randomBytes(2).readUInt16BE() % 0xefff)).toString(16),
  ).join(":");
/** The longest that a client can make of what every record has. */
const told = () => ({
  vaultId,
  sourceIp: address(),
  client: text(64),
  requestDigest: randomBytes(32),
});

/** Records as long as they can be, by what causes them. */
const records = {
  read(at: number): Event {
    const read = {
      decisionId: `dec_${String(Math.floor(at / 100)).padStart(20, "0")}`,
      requestDigest: Buffer.alloc(32, String(Math.floor(at / 100))),
      attemptId: randomBytes(16),
      secretId: newId("sec"),
      projectId: newId("prj"),
      detail: { name: text(128), selector: "4294967295", sealed: "false" },
    };
    return event("crypto", "secret.read", {
      ...told(),
      machineId,
      originId,
      actorId: machineId,
      ...read,
    });
  },
  denial(): Event {
    const listed = Array.from({ length: mostListed }, () => ({
      secretId: newId("sec"),
      reason: "NOT_GRANTED",
    }));
    const { refused } = create(RecordSchema, { refused: listed });
    const detail = { selector: "4294967295", secrets: "100" };
    const denied = { decisionId: newId("dec"), reason: "NOT_GRANTED", refused, detail };
    return event("policy", "secret.read.denied", {
      ...told(),
      machineId,
      originId,
      actorId: machineId,
      ...denied,
    });
  },
  rejection(): Event {
    const detail = { count: "1000000", key_id: text(64), step: "content-type", path: text(80) };
    return event("gateway", "request.rejected", { ...told(), reason: "REQUEST_REJECTED", detail });
  },
  refusedToken(): Event {
    const detail = { count: "1000000", step: "hostname", hostname: text(253), name: text(128) };
    const about = { subjectId: newId("tok"), reason: "TOKEN_HOSTNAME_REFUSED" };
    return event("identity", "token.refused", { ...told(), ...about, detail });
  },
  refusedCode(): Event {
    const about = { subjectId: newId("tok"), reason: "REQUEST_REJECTED" };
    return event("identity", "login_code.refused", {
      ...told(),
      ...about,
      detail: { count: "1000000", step: "signer" },
    });
  },
  grant(): Event {
    const detail = { token_id: originId, any_version: "false" };
    const about = {
      projectId: newId("prj"),
      secretId: newId("sec"),
      machineId: newId("mch"),
      originId,
    };
    return event("policy", "grant.added", { vaultId, actorId: newId("usr"), ...about, detail });
  },
};

type Kind = keyof typeof records;

/** What a record takes on disk, with its indexes. */
async function measure(kind: Kind): Promise<number> {
  await using log = await createTestLog();
  await using writer = await log.start();
  for (let at = 0; at < measured; at += 500) {
    const events = Array.from({ length: 500 }, (_, index) => records[kind](at + index));
    const emitter: Emitter | undefined = ruleOf(events[0]?.action ?? "")?.emitters[0];
    await append(writer, emitter ?? "audit", ...events);
  }
  const [row] = await log.database.query<{ bytes: string }>(
    `select (pg_total_relation_size('records') + pg_total_relation_size('refused_secrets'))::text as bytes`,
  );
  return Number(row?.bytes) / measured;
}

type Line = {
  readonly who: string;
  readonly what: string;
  readonly count: number;
  readonly kind: Kind;
};

test("the worst day of a machine, the holder of a token and a stranger is less than a gigabyte each", async () => {
  const bytes = new Map<Kind, number>();
  for (const kind of Object.keys(records) as Kind[]) bytes.set(kind, await measure(kind));
  const bytesOf = (kind: Kind) => bytes.get(kind) ?? Number.NaN;
  // Whichever of both fills more of what the log takes.
  const perUnit = (kind: Kind) => bytesOf(kind) / weightOf(records[kind](0));
  const worst: Kind = perUnit("denial") > perUnit("read") ? "denial" : "read";
  const most = (units: number) => Math.floor(units / weightOf(records[worst](0)));
  const machines = "its machines' requests turned away";
  const lines: readonly Line[] = [
    { who: "machine", what: `${worst}s`, count: most(defaultRecordsPerDay / 2), kind: worst },
    { who: "machine", what: "denials beyond, counted", count: 2 * minutes, kind: "rejection" },
    { who: "machine", what: "requests turned away, counted", count: 2 * kinds, kind: "rejection" },
    {
      who: "token",
      what: `${worst}s of its machines`,
      count: most(defaultRecordsPerDay),
      kind: worst,
    },
    { who: "token", what: "machines made beyond that", count: enrollmentBurst, kind: "grant" },
    { who: "token", what: "uses refused or checked", count: heldRefusals, kind: "refusedToken" },
    {
      who: "token",
      what: "those beyond, by step",
      count: heldSteps * minutes,
      kind: "refusedToken",
    },
    { who: "token", what: machines, count: 2 * kinds, kind: "rejection" },
    { who: "stranger", what: "requests turned away, counted", count: 2 * kinds, kind: "rejection" },
    { who: "stranger", what: "tokens refused, counted", count: 2 * kinds, kind: "refusedToken" },
    { who: "stranger", what: "codes refused, counted", count: 2 * kinds, kind: "refusedCode" },
  ];
  console.log(`${"who".padEnd(10)}${"what".padEnd(38)}records a day  bytes each  MB a day`);
  for (const { who, what, count, kind } of lines)
    console.log(
      `${who.padEnd(10)}${what.padEnd(38)}${count.toFixed(0).padStart(13)}${bytesOf(kind).toFixed(0).padStart(12)}${((count * bytesOf(kind)) / 1e6).toFixed(0).padStart(10)}`,
    );
  for (const who of ["machine", "token", "stranger"]) {
    const total = lines
      .filter((line) => line.who === who)
      .reduce((sum, { count, kind }) => sum + count * bytesOf(kind), 0);
    console.log(`${who.padEnd(10)}in all ${(total / 1e6).toFixed(0)} MB`);
    expect.soft(total, who).toBeLessThan(gigabyte);
  }
}, 120_000);
