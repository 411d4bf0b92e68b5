import { create } from "@bufbuild/protobuf";
import {
  ListRecordsRequestSchema,
  RecordOrder,
  RecordSchema,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { auditMethods } from "../rpc/records.ts";
import { openListingDatabase } from "../store/listing.ts";
import { type TestLog, append, createTestLog, event, read } from "../testing/writer.ts";
import type { Writer } from "../log/writer.ts";

const vaultId = `vlt_${"1".repeat(20)}`;
const sec = (name: string) => `sec_${name.padEnd(20, "0")}`;
const refusedAs = (...names: string[]) =>
  names.map((name) => ({ secretId: sec(name), reason: "NOT_GRANTED" }));

let log: TestLog;
let writer: Writer;
let database: ReturnType<typeof openListingDatabase>;

beforeAll(async () => {
  log = await createTestLog();
  writer = await log.start();
  database = openListingDatabase(log.urls.servingUrl);
  const denied = (...names: string[]) => {
    const made = event("policy", "secret.read.denied", { vaultId, machineId: "mch_1" });
    made.refused.push(...create(RecordSchema, { refused: refusedAs(...names) }).refused);
    return made;
  };
  await append(writer, "policy", denied("a", "b")); // 1
  await append(writer, "crypto", read({ vaultId, secretId: sec("a") })); // 2
  await append(writer, "policy", denied("b", "c"), denied("a", "c")); // 3, 4
  await append(
    writer,
    "policy",
    event("policy", "secret.read.denied", { vaultId, secretId: sec("a") }),
  ); // 5
  await append(writer, "policy", { ...denied("a", "b"), vaultId: `vlt_${"2".repeat(20)}` }); // 6
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await writer[Symbol.asyncDispose]();
  await log[Symbol.asyncDispose]();
});

async function list(
  secret: string,
  more: Parameters<typeof create<typeof ListRecordsRequestSchema>>[1] = {},
) {
  const request = create(ListRecordsRequestSchema, { secretId: sec(secret), ...more });
  const reader = { principal: { vaultId } };
  return auditMethods({ database, operatorVault: undefined }).listRecords(reader, request);
}
const seqs = ({ records }: Awaited<ReturnType<typeof list>>) =>
  records.map(({ seq }) => Number(seq));

describe("a denial that lists several secrets", () => {
  test("is found by each of them, in the order of seq with what concerns the secret alone", async () => {
    expect(seqs(await list("a"))).toEqual([5, 4, 2, 1]);
    expect(seqs(await list("a", { order: RecordOrder.OLDEST_FIRST }))).toEqual([1, 2, 4, 5]);
    expect(seqs(await list("b"))).toEqual([3, 1]);
    expect(seqs(await list("c", { actions: ["secret.read.denied"] }))).toEqual([4, 3]);
    expect(seqs(await list("a", { actions: ["secret.read"] }))).toEqual([2]);
    expect(seqs(await list("d"))).toEqual([]);
  });

  test("is paged over without gap or overlap", async () => {
    const first = await list("a", { pageSize: 2 });
    expect(seqs(first)).toEqual([5, 4]);
    const second = await list("a", { pageSize: 2, pageToken: first.nextPageToken });
    expect(seqs(second)).toEqual([2, 1]);
    expect(second.nextPageToken).toBe("");
  });

  test("comes back as it was reported", async () => {
    const { records } = await list("c");
    expect(records[1]).toMatchObject({ secretId: "", refused: refusedAs("b", "c") });
  });
});
