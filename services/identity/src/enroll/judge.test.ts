import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { expect, test } from "vitest";
import type { Machine } from "../machines/store.ts";
import type { Admission } from "./admission.ts";
import { type Attempt, capReached, judgeAdmission, judgeRetry } from "./judge.ts";

const nowMs = 1_800_000_000_000;
const admission: Admission = {
  vaultId: "vlt_a",
  tokenId: "tok_a",
  originId: "tok_a",
  scope: { projectIds: ["prj_a"], secretIds: [], anyVersion: false, createdBy: "usr_a" },
  machineLifetimeMs: 60_000,
  restrictions: { sourceCidrs: [], hostnamePattern: "", machineNamePattern: "" },
  expiresAt: new Date(nowMs + 1),
  revokedAt: null,
  uses: 1,
  maxUses: 2,
};
const attempt: Attempt = {
  nowMs,
  sourceIp: "192.0.2.1",
  hostname: "runner-1",
  machineName: "",
  machineId: "mch_0123456789abcdefghjk",
};
const machine: Machine = {
  machineId: "mch_a",
  vaultId: "vlt_a",
  tokenId: "tok_a",
  publicKey: new Uint8Array(32),
  name: "runner-1",
  hostname: "runner-1",
  state: "active",
  createdAt: new Date(nowMs - 1),
  expiresAt: new Date(nowMs + 1),
  activatedAt: new Date(nowMs - 1),
};
const restricted = (restrictions: Partial<Admission["restrictions"]>): Admission => ({
  ...admission,
  restrictions: { ...admission.restrictions, ...restrictions },
});
const revoked = { ...admission, revokedAt: new Date(nowMs - 1) };
const elsewhere = restricted({ sourceCidrs: ["10.0.0.0/8"] });

test("an admission with time and uses left and no restriction admits", () => {
  expect(judgeAdmission(admission, attempt)).toBeUndefined();
});

test.each([
  ["revoked", revoked, Reason.TOKEN_REVOKED],
  ["expired", { ...admission, expiresAt: new Date(nowMs) }, Reason.TOKEN_EXPIRED],
  ["source", elsewhere, Reason.TOKEN_SOURCE_REFUSED],
  ["exhausted", { ...admission, uses: 2 }, Reason.TOKEN_EXHAUSTED],
  ["hostname", restricted({ hostnamePattern: "build-*" }), Reason.TOKEN_HOSTNAME_REFUSED],
  ["name", restricted({ machineNamePattern: "build-*" }), Reason.TOKEN_NAME_REFUSED],
] as const)("step %s refuses", (step, given, reason) => {
  expect(judgeAdmission(given, attempt)).toEqual({ reason, step });
});

test("of several faults the first in the order of the steps is given", () => {
  const faults: Partial<Admission>[] = [
    { restrictions: { ...admission.restrictions, machineNamePattern: "build-*" } },
    { restrictions: { ...admission.restrictions, hostnamePattern: "b", machineNamePattern: "b" } },
    { uses: 2 },
    {
      restrictions: { sourceCidrs: ["10.0.0.0/8"], hostnamePattern: "b", machineNamePattern: "b" },
    },
    { expiresAt: new Date(nowMs) },
    { revokedAt: new Date(nowMs) },
  ];
  let given = admission;
  const steps = faults.map((fault) => {
    given = { ...given, ...fault };
    return judgeAdmission(given, attempt)?.step;
  });
  expect(steps).toEqual(["name", "hostname", "exhausted", "source", "expired", "revoked"]);
});

test("host names match in any case, and machine names in theirs", () => {
  const loud = { ...attempt, hostname: "RUNNER-1", machineName: "RUNNER-1" };
  expect(judgeAdmission(restricted({ hostnamePattern: "runner-*" }), loud)).toBeUndefined();
  expect(judgeAdmission(restricted({ machineNamePattern: "runner-*" }), loud)?.step).toBe("name");
});

test("a key gets its machine back after the uses and the time of its admission are over", () => {
  const spent = { ...admission, uses: 2, expiresAt: new Date(nowMs - 1) };
  expect(judgeRetry(spent, machine, attempt)).toBeUndefined();
  const provisioning = { ...machine, state: "provisioning" as const, activatedAt: null };
  expect(judgeRetry(spent, provisioning, attempt)).toBeUndefined();
});

test.each([
  ["another token's machine", admission, { tokenId: "tok_b" }, "key", Reason.REQUEST_REJECTED],
  ["a machine of no token", admission, { tokenId: null }, "key", Reason.REQUEST_REJECTED],
  ["another vault's", admission, { vaultId: "vlt_b" }, "key", Reason.REQUEST_REJECTED],
  ["a revoked admission", revoked, {}, "revoked", Reason.TOKEN_REVOKED],
  ["another address", elsewhere, {}, "source", Reason.TOKEN_SOURCE_REFUSED],
  ["a disabled machine", admission, { state: "disabled" }, "machine", Reason.MACHINE_DISABLED],
  ["a revoked machine", admission, { state: "revoked" }, "machine", Reason.MACHINE_DISABLED],
  [
    "a machine past its time",
    admission,
    { expiresAt: new Date(nowMs) },
    "machine",
    Reason.MACHINE_EXPIRED,
  ],
] as const)("a retry is refused for %s", (_, given, changes, step, reason) => {
  expect(judgeRetry(given, { ...machine, ...changes }, attempt)).toEqual({ reason, step });
});

test("a machine without a token is given back only by an admission without one", () => {
  const other = { ...admission, tokenId: null };
  expect(judgeRetry(other, { ...machine, tokenId: null }, attempt)).toBeUndefined();
  expect(judgeRetry(other, machine, attempt)?.step).toBe("key");
});

test("a full vault's verdict has its limit", () => {
  const metadata = { limit: "10" };
  expect(capReached(10)).toEqual({ reason: Reason.MACHINE_CAP_REACHED, step: "cap", metadata });
});
