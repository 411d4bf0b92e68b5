import { inspect } from "node:util";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  ErrorInfoSchema,
  RetryInfoSchema,
} from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import { Reason, RefusalSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import {
  Failure,
  codeOf,
  fail,
  failureOf,
  fromRefusal,
  toConnectError,
  toRefusal,
} from "./index.ts";

const named = Object.entries(Reason).filter(([name]) => name !== "UNSPECIFIED");

test.each(named)("%s survives the wire as a reason, and a reply as a refusal", (name, reason) => {
  const failure = new Failure(reason, { metadata: { field: "name" }, retryAfterMs: 1_500 });
  const error = toConnectError(failure, "req_1");
  expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ domain: "sallyport", reason: name }]);
  expect(error.code).toBe(codeOf(reason));
  const expected = reason === Reason.PEER_NOT_ALLOWED ? Reason.INTERNAL : reason;
  expect(failureOf(error).reason).toBe(expected);
  expect(fromRefusal(toRefusal(failure))).toMatchObject({
    reason,
    metadata: { field: "name" },
    retryAfterMs: 1_500,
  });
});

test.each<[Reason, Code]>([
  [Reason.REQUEST_REJECTED, Code.Unauthenticated],
  [Reason.NOT_GRANTED, Code.PermissionDenied],
  [Reason.NOT_FOUND, Code.NotFound],
  [Reason.TOO_LARGE, Code.InvalidArgument],
  [Reason.VERSION_CONFLICT, Code.FailedPrecondition],
  [Reason.RATE_LIMITED, Code.ResourceExhausted],
  [Reason.DEPENDENCY_UNAVAILABLE, Code.Unavailable],
  [Reason.UNSPECIFIED, Code.Internal],
])("reason %s has code %s", (reason, code) => {
  expect(codeOf(reason)).toBe(code);
});

test("only INTERNAL is a fault of ours on the wire: a refusal is never a 5xx", () => {
  const faults = named.filter(
    ([, reason]) => codeOf(reason) === Code.Internal || codeOf(reason) === Code.Unknown,
  );
  expect(faults.map(([name]) => name)).toEqual(["INTERNAL"]);
});

describe("on the wire", () => {
  test("metadata and retry delay travel, the cause does not", () => {
    const failure = fail(
      Reason.DEPENDENCY_UNAVAILABLE,
      { part: "audit" },
      new Error("password=hunter2"),
    );
    const error = toConnectError(failure, "req_1");
    expect(inspect([error.message, error.details, error.cause], { depth: 8 })).not.toContain(
      "hunter2",
    );
    expect(error.findDetails(ErrorInfoSchema)[0]?.metadata).toEqual({ part: "audit" });
    expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds).toBe(1n);
    expect(failureOf(error)).toMatchObject({ metadata: { part: "audit" }, retryAfterMs: 1_000 });
  });

  test("INTERNAL tells its request id and nothing else", () => {
    const error = toConnectError(fail(Reason.INTERNAL, { detail: "private" }), "req_1");
    expect(error.findDetails(ErrorInfoSchema)[0]?.metadata).toEqual({ request_id: "req_1" });
  });
});

test.each<[name: string, error: unknown, want: Reason]>([
  ["a failure", fail(Reason.NOT_FOUND), Reason.NOT_FOUND],
  [
    "an unreachable peer",
    new ConnectError("refused", Code.Unavailable),
    Reason.DEPENDENCY_UNAVAILABLE,
  ],
  ["a deadline", new ConnectError("late", Code.DeadlineExceeded), Reason.DEPENDENCY_UNAVAILABLE],
  ["a cut connection", new ConnectError("reset", Code.Aborted), Reason.DEPENDENCY_UNAVAILABLE],
  ["a refusal without a reason", new ConnectError("no", Code.InvalidArgument), Reason.INTERNAL],
  ["a method that is not served", new ConnectError("what", Code.Unimplemented), Reason.INTERNAL],
  ["a reason of another domain", foreignReason(), Reason.INTERNAL],
  ["a bug", new TypeError("x is not a function"), Reason.INTERNAL],
  ["no error at all", "text", Reason.INTERNAL],
])("failureOf %s", (_, error, want) => {
  expect(failureOf(error).reason).toBe(want);
});

test("a refusal without a known reason is INTERNAL", () => {
  expect(fromRefusal(create(RefusalSchema, {})).reason).toBe(Reason.INTERNAL);
});

function foreignReason(): ConnectError {
  const value = create(ErrorInfoSchema, { domain: "elsewhere", reason: "NOT_FOUND" });
  return new ConnectError("no", Code.NotFound, undefined, [{ desc: ErrorInfoSchema, value }]);
}
