import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { expect, test } from "vitest";
import { judgeLoginCode } from "./judge.ts";

const nowMs = 1_800_000_000_000;
const code = { revokedAt: null, expiresAt: new Date(nowMs + 1) };
const key = new Uint8Array(32).fill(1);
const redeemer = {
  publicKey: key,
  expiresAt: new Date(nowMs + 1),
  renewedAt: null,
  revokedAt: null,
};
const exhausted = { reason: Reason.TOKEN_EXHAUSTED, step: "exhausted" };

test("a code that nobody redeemed admits until its end", () => {
  expect(judgeLoginCode(code, undefined, key, nowMs)).toBeUndefined();
  expect(judgeLoginCode(code, undefined, key, nowMs + 1)).toEqual({
    reason: Reason.TOKEN_EXPIRED,
    step: "expired",
  });
});

test("a revoked code admits nobody, not even its redeemer", () => {
  const revoked = { ...code, revokedAt: new Date(nowMs - 1) };
  const verdict = { reason: Reason.TOKEN_REVOKED, step: "revoked" };
  expect(judgeLoginCode(revoked, undefined, key, nowMs)).toEqual(verdict);
  expect(judgeLoginCode(revoked, redeemer, key, nowMs)).toEqual(verdict);
});

test("its redeemer gets its user back, after the code's end too, while the key works", () => {
  expect(judgeLoginCode({ ...code, expiresAt: new Date(0) }, redeemer, key, nowMs)).toBeUndefined();
  expect(judgeLoginCode(code, redeemer, key, nowMs + 1)).toEqual(exhausted);
  const ended = { ...redeemer, revokedAt: new Date(nowMs) };
  expect(judgeLoginCode(code, ended, key, nowMs)).toEqual(exhausted);
});

test("another key than its redeemer's is refused", () => {
  expect(judgeLoginCode(code, redeemer, new Uint8Array(32), nowMs)).toEqual(exhausted);
});
