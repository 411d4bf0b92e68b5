import { create } from "@bufbuild/protobuf";
import {
  ListRecordsRequestSchema,
  Outcome,
  RecordOrder,
  RecordScope,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { describe, expect, test } from "vitest";
import { pageTokenOf, parsePageToken, queryOf } from "./page-token.ts";

type Asked = Parameters<typeof create<typeof ListRecordsRequestSchema>>[1];

const query = (asked: Asked = {}, vaultId = "vlt_1") =>
  queryOf(vaultId, create(ListRecordsRequestSchema, asked));
const refused = expect.objectContaining({
  reason: Reason.FIELD_INVALID,
  metadata: expect.objectContaining({ field: "page_token" }) as object,
}) as Error;

test.each([1n, 50n, 2n ** 63n - 1n])("seq %s comes back", (seq) => {
  const token = pageTokenOf(seq, query());
  expect(token).toMatch(/^[\w-]{32}$/);
  expect(parsePageToken(token, query())).toBe(seq);
});

test("the size of the page and the token itself may differ from page to page", () => {
  expect(query({ pageSize: 5, pageToken: "x" })).toEqual(query({ pageSize: 200 }));
});

describe("is refused", () => {
  const token = pageTokenOf(5n, query());
  test.each([
    "x",
    "",
    `${token}A`,
    `${token}=`,
    token.slice(0, -1),
    `${token}.`,
    pageTokenOf(0n, query()),
    pageTokenOf(2n ** 63n, query()),
  ])("%s", (text) => {
    expect(() => parsePageToken(text, query())).toThrow(refused);
  });

  test.each<[string, Asked]>([
    ["actions", { actions: ["secret.read"] }],
    ["outcome", { outcome: Outcome.DENIED }],
    ["machine", { machineId: "mch_1" }],
    ["secret", { secretId: "sec_1" }],
    ["project", { projectId: "prj_1" }],
    ["actor", { actorId: "usr_1" }],
    ["subject", { subjectId: "tok_1" }],
    ["reasons", { reasons: ["NOT_GRANTED"] }],
    ["source", { sourceCidr: "192.0.2.0/24" }],
    ["after", { afterTime: { seconds: 1n } }],
    ["before", { beforeTime: { seconds: 1n } }],
    ["order", { order: RecordOrder.OLDEST_FIRST }],
    ["after seq", { afterSeq: 1n }],
    ["scope", { scope: RecordScope.DEPLOYMENT }],
  ])("the token of a query with another %s", (_, asked) => {
    expect(() => parsePageToken(token, query(asked))).toThrow(refused);
  });

  test("the token of another vault", () => {
    expect(() => parsePageToken(token, query({}, "vlt_2"))).toThrow(refused);
  });
});
