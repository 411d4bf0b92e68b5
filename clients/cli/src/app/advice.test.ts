import { SallyportError } from "@sallyport/client";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { expect, test } from "vitest";
import { adviceOf, knownReasons } from "./advice.ts";
import { CliError, UsageError, explain, explanationLines } from "./failure.ts";

const internal = new Set([
  "UNSPECIFIED",
  "ALREADY_RECORDED",
  "PEER_NOT_ALLOWED",
  "EVIDENCE_INVALID",
]);
const publicReasons = Object.keys(Reason).filter((reason) => !internal.has(reason));

test.each(knownReasons)("%s says what to do next, in one line", (reason) => {
  const next = adviceOf(reason).next({});
  expect(next).toMatch(/^\S[^\n]{10,150}$/);
  expect(next).not.toMatch(/[.!]$/);
});

test.each(publicReasons)("a server's %s is put in words", (reason) => {
  expect(adviceOf(reason).what?.({})).toMatch(/^\S[^\n]{10,150}$/);
});

test("a change that only the gateway refused may have been made, and is said to", () => {
  const refusal = (vouched?: boolean) =>
    explain(new SallyportError("RATE_LIMITED", "slow", { vouched }));
  expect(refusal(false)).toMatchObject({
    vouched: false,
    next: expect.stringMatching(/only the gateway says that nothing was changed/) as string,
  });
  expect(refusal(true)).toMatchObject({ vouched: true });
  expect(refusal(true).next).not.toContain("only the gateway");
  expect(refusal()).toMatchObject({ vouched: null });
});

test("what the server tells with a reason is told on", () => {
  const told = new SallyportError({ told: "FIELD_INVALID" }, "a field is not valid", {
    metadata: { field: "name", description: "too long" },
    cause: new Error("the answer"),
  });
  expect(explain(told)).toMatchObject({ message: "name is not valid: too long", exitCode: 2 });
  const limited = new SallyportError({ told: "RATE_LIMITED" }, "x", {
    retryAfterMs: 1200.4,
    cause: new Error(),
  });
  expect(explain(limited)).toMatchObject({ exitCode: 6, metadata: { retry_after_ms: "1201" } });
});

test("what a client found out says it in its own words", () => {
  expect(explain(new SallyportError("NOT_GRANTED", "no grant covers DB_URL")).message).toBe(
    "no grant covers DB_URL",
  );
  expect(explain(new UsageError("wrong", "do it right"))).toMatchObject({
    reason: "USAGE",
    message: "wrong",
    next: "do it right",
    exitCode: 2,
  });
  expect(explain(new CliError("VAULT_UNKNOWN", "no vault x"))).toMatchObject({ exitCode: 5 });
});

test("a reason that is newer than this client is a refusal, a fault of its own unexpected", () => {
  const told = new SallyportError({ told: "PROJECT_FROZEN" }, "the project is frozen", {
    cause: new Error(),
  });
  expect(explain(told)).toMatchObject({
    reason: "PROJECT_FROZEN",
    message: "the project is frozen",
    exitCode: 3,
  });
  expect(explain(new TypeError("x is not a function"))).toMatchObject({
    reason: "UNEXPECTED",
    exitCode: 1,
  });
  expect(adviceOf("constructor").exitCode).toBe(3);
});

test("what the sentence does not say of a reason's details is added to it", () => {
  const error = new SallyportError("UNREACHABLE", "no answer", {
    metadata: { cause: "ECONNREFUSED" },
  });
  expect(explanationLines(explain(error))[0]).toBe(
    "sallyport: no answer [UNREACHABLE, cause ECONNREFUSED]",
  );
});

test("people read two lines", () => {
  const error = new SallyportError({ told: "NOT_FOUND" }, "x", {
    metadata: { field: "project_id" },
    cause: 1,
  });
  expect(explanationLines(explain(error))).toEqual([
    "sallyport: there is no such thing in this vault (project_id) [NOT_FOUND]",
    '  → check the name or id, and the vault with "sallyport vault show"',
  ]);
  const bare = new SallyportError({ told: "NOT_FOUND" }, "x", { cause: 1 });
  expect(explain(bare).message).toBe("there is no such thing in this vault");
});

test.each<[string, RegExp]>([
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", /^set SALLYPORT_CA to the PEM file/],
  ["SELF_SIGNED_CERT_IN_CHAIN", /^set SALLYPORT_CA to the PEM file/],
  ["ERR_TLS_CERT_ALTNAME_INVALID", /^write the gateway's address with a name of its certificate/],
  ["CERT_HAS_EXPIRED", /clock, or .* renew the certificate/],
  ["ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL", /HTTP\/2 in both directions/],
  ["ERR_SSL_WRONG_VERSION_NUMBER", /check the port/],
  ["NOT_A_GATEWAY", /host and port .* balancer/],
  ["PROXY_407", /user and password into HTTPS_PROXY/],
  ["PROXY_403", /NO_PROXY/],
  ["ENOTFOUND", /host name/],
])("of a way that fails with %s it says what to do about that", (cause, next) => {
  const advice = adviceOf("UNREACHABLE").next({ cause });
  expect(advice).toMatch(next);
  expect(advice.length).toBeLessThan(150);
});

test("of a change that was not answered it does not say what of a read can be said", () => {
  const explained = (metadata: Record<string, string>) =>
    explain(new SallyportError("DEPENDENCY_UNAVAILABLE", "x", { metadata, cause: new Error() }));
  expect(explained({}).message).toMatch(/nothing was given out$/);
  expect(explained({ done: "unknown" }).message).not.toMatch(/given out/);
  expect(explained({ done: "unknown" }).next).toMatch(/may have been done all the same/);
});
