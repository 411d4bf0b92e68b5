import { Code, ConnectError } from "@connectrpc/connect";
import { EvidenceError } from "@sallyport/evidence";
import { ErrorInfoSchema } from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import { Reason, ReasonSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { Failure, fail, toConnectError } from "@sallyport/rpc";
import { describe, expect, test } from "vitest";
import { peerFailure, publicFailureOf, toPublicError } from "./public-errors.ts";
import { refusalOf } from "../testing/wires.ts";

const requestId = "req_00000000000000000000";
const canary = "canary-of-an-inner-process";

const seenOf = (error: unknown) => refusalOf(toPublicError(publicFailureOf(error), requestId));

// Written from proto/README.md, "Errors", not from the code.
const table: readonly [reason: keyof typeof Reason, code: Code, metadata: readonly string[]][] = [
  ["REQUEST_REJECTED", Code.Unauthenticated, []],
  ["CLOCK_SKEW", Code.Unauthenticated, ["server_time"]],
  ["MACHINE_EXPIRED", Code.Unauthenticated, []],
  ["MACHINE_DISABLED", Code.Unauthenticated, []],
  ["ROLE_REQUIRED", Code.PermissionDenied, []],
  ["NOT_GRANTED", Code.PermissionDenied, ["secret_id"]],
  ["NOT_FOUND", Code.NotFound, ["field"]],
  ["ALREADY_EXISTS", Code.AlreadyExists, ["field"]],
  ["FIELD_INVALID", Code.InvalidArgument, ["field", "description"]],
  ["NAME_DANGEROUS", Code.InvalidArgument, ["name", "description"]],
  ["TOO_LARGE", Code.InvalidArgument, ["limit_bytes"]],
  ["VERSION_CONFLICT", Code.FailedPrecondition, ["current_version"]],
  ["TOKEN_EXPIRED", Code.FailedPrecondition, []],
  ["TOKEN_EXHAUSTED", Code.FailedPrecondition, []],
  ["TOKEN_REVOKED", Code.FailedPrecondition, []],
  ["TOKEN_SOURCE_REFUSED", Code.PermissionDenied, []],
  ["TOKEN_HOSTNAME_REFUSED", Code.PermissionDenied, []],
  ["TOKEN_NAME_REFUSED", Code.PermissionDenied, []],
  ["MACHINE_CAP_REACHED", Code.ResourceExhausted, ["limit"]],
  ["LAST_OWNER", Code.FailedPrecondition, []],
  ["PROJECT_ROLE_REQUIRED", Code.PermissionDenied, ["project_role"]],
  ["PROJECT_NOT_EMPTY", Code.FailedPrecondition, ["secrets"]],
  ["SEALING_REQUIRED", Code.FailedPrecondition, ["secret_id"]],
  ["RATE_LIMITED", Code.ResourceExhausted, []],
  ["DEPENDENCY_UNAVAILABLE", Code.Unavailable, []],
];
const inner = [
  "ALREADY_RECORDED",
  "PEER_NOT_ALLOWED",
  "EVIDENCE_INVALID",
  "INTERNAL",
  "UNSPECIFIED",
];

test("every reason is public or not on purpose", () => {
  const decided = [...table.map(([reason]) => reason), ...inner];
  expect(decided.toSorted()).toEqual(Object.keys(Reason).toSorted());
});

describe.each(table)("%s", (name, code, keys) => {
  const metadata = Object.fromEntries([...keys, "peer", "sql"].map((key) => [key, `${key}-value`]));

  test("leaves with its code, its own metadata and nothing of its cause", () => {
    const seen = seenOf(fail(Reason[name], metadata, new Error(canary)));
    expect(seen).toMatchObject({ code, reason: enumName(ReasonSchema, Reason[name]) });
    expect(Object.keys(seen.metadata).toSorted()).toEqual(keys.toSorted());
    expect(seen.text).not.toContain(canary);
    expect(seen.text).not.toContain("sql-value");
  });

  test("keeps a retry delay", () => {
    const seen = seenOf(new Failure(Reason[name], { retryAfterMs: 2500 }));
    expect(seen.retryAfterMs).toBe(2500);
  });
});

describe("what is not public", () => {
  const internal = { code: Code.Internal, reason: "INTERNAL", metadata: { request_id: requestId } };

  test.each([
    ["an unknown error", new TypeError(canary)],
    [
      "a peer's error that slipped through",
      new ConnectError(canary, Code.NotFound, { "x-inner": canary }),
    ],
    ["refused evidence", fail(Reason.EVIDENCE_INVALID, { step: canary })],
    ["a caller table that does not know us", fail(Reason.PEER_NOT_ALLOWED, { peer: canary })],
    ["an owner's own fault", fail(Reason.INTERNAL, { request_id: canary })],
    ["nothing", undefined],
  ])("%s is INTERNAL with the request id", (_, error) => {
    const seen = seenOf(error);
    expect(seen).toMatchObject(internal);
    expect(seen.text).not.toContain(canary);
  });

  test("evidence that does not hold is one reason, whatever the step", () => {
    for (const step of [
      "signature",
      "authority",
      "created",
      "content-digest",
      "binding",
    ] as const) {
      const seen = seenOf(new EvidenceError(step, canary));
      expect(seen).toMatchObject({
        reason: "REQUEST_REJECTED",
        code: Code.Unauthenticated,
        metadata: {},
      });
      expect(seen.text).not.toContain(canary);
    }
  });

  test("a read that was recorded before is a rejected request", () => {
    expect(seenOf(fail(Reason.ALREADY_RECORDED))).toMatchObject({ reason: "REQUEST_REJECTED" });
  });

  test("a malformed body is the signer's mistake, and is not quoted", () => {
    const seen = seenOf(new EvidenceError("body", canary));
    expect(seen).toMatchObject({ reason: "FIELD_INVALID", metadata: { field: "body" } });
    expect(seen.text).not.toContain(canary);
  });
});

describe("what a peer throws", () => {
  const thrown = (reason: Reason) =>
    toConnectError(fail(reason, { field: "items[0].source_ip" }), requestId);

  test.each([
    [Reason.DEPENDENCY_UNAVAILABLE, Reason.DEPENDENCY_UNAVAILABLE],
    [Reason.TOO_LARGE, Reason.TOO_LARGE],
    [Reason.FIELD_INVALID, Reason.INTERNAL],
    [Reason.NOT_FOUND, Reason.INTERNAL],
    [Reason.MACHINE_DISABLED, Reason.INTERNAL],
    [Reason.REQUEST_REJECTED, Reason.INTERNAL],
    [Reason.EVIDENCE_INVALID, Reason.INTERNAL],
    [Reason.PEER_NOT_ALLOWED, Reason.INTERNAL],
    [Reason.INTERNAL, Reason.INTERNAL],
  ])("of reason %d is %d to us", (reason, ours) => {
    expect(peerFailure(thrown(reason)).reason).toBe(ours);
  });

  test("without a reason of ours is unavailable when the way broke, else INTERNAL", () => {
    const seen = (code: Code) =>
      seenOf(peerFailure(new ConnectError(canary, code, { "x-inner": canary })));
    for (const code of [Code.Unavailable, Code.DeadlineExceeded, Code.Canceled])
      expect(seen(code)).toMatchObject({
        reason: "DEPENDENCY_UNAVAILABLE",
        retryAfterMs: 1000,
        metadata: {},
      });
    for (const code of [
      Code.NotFound,
      Code.PermissionDenied,
      Code.InvalidArgument,
      Code.Unauthenticated,
    ])
      expect(seen(code)).toMatchObject({ reason: "INTERNAL" });
    expect(seen(Code.Unavailable).text).not.toContain(canary);
  });

  test("of another domain's reason does not count as ours", () => {
    const error = new ConnectError(canary, Code.NotFound);
    error.details.push({
      desc: ErrorInfoSchema,
      value: { domain: "elsewhere", reason: "TOO_LARGE" },
    });
    expect(seenOf(peerFailure(error))).toMatchObject({ reason: "INTERNAL" });
  });
});
