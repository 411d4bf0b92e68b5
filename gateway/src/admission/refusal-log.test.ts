import { createClient } from "@connectrpc/connect";
import { EvidenceError } from "@sallyport/evidence";
import { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind, Outcome } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type CredentialClaims,
  CredentialClaimsSchema,
  Role,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { create } from "@bufbuild/protobuf";
import { ruleOf } from "@sallyport/proto/catalogue";
import { fail } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ReplayError } from "../verification/checklist.ts";
import { type Known, StepRefusal } from "../verification/step-refusal.ts";
import { type RefusalLog, type Refused, createRefusalLog } from "./refusal-log.ts";
import { type TestPrincipal, createTestTrust, newMachine, newUser } from "../testing/keys.ts";
import { type TestPeers, createTestPeers } from "../testing/peers.ts";

const trust = createTestTrust();
let peers: TestPeers;
let lines: string[];
let log: RefusalLog;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  peers = createTestPeers(trust);
  lines = [];
  const logger = createLogger({
    service: "gateway",
    stream: { write: (line) => void lines.push(line) },
  });
  log = createRefusalLog(createClient(AppendService, peers.transports.audit), logger);
});
afterEach(async () => {
  await log[Symbol.asyncDispose]();
  vi.useRealTimers();
});

type Change = { readonly sourceIp?: string; readonly error?: Error; readonly known?: Known };

const refused = ({
  sourceIp = "192.0.2.1",
  error = fail(Reason.REQUEST_REJECTED),
  known = {},
}: Change = {}): Refused => ({
  sourceIp,
  client: "curl/8.0",
  path: "/sallyport.gateway.v1.ReadService/ReadSecrets",
  refusal: new StepRefusal("head", known, error),
});
const replay = (reason: Reason = Reason.REQUEST_REJECTED) => new ReplayError(reason);

function claimsOf(principal: TestPrincipal): CredentialClaims {
  const { principalId, kind, role, vaultId } = principal;
  return create(CredentialClaimsSchema, { principalId, kind, role, vaultId });
}

const counts = () => peers.events.map(({ detail }) => detail["count"]);
const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

describe("a record", () => {
  test("says from where, what, why and which step; of a stranger only what he claims", async () => {
    const error = new EvidenceError("signature", "it does not hold");
    log.note(refused({ error, known: { claimedKeyId: "mch_claimed" } }));
    await expect.poll(() => peers.events).toHaveLength(1);
    expect(peers.events[0]).toMatchObject({
      action: "request.rejected",
      outcome: Outcome.DENIED,
      reason: "REQUEST_REJECTED",
      actorKind: ActorKind.UNKNOWN,
      actorId: "",
      sourceIp: "192.0.2.1",
      detail: {
        count: "1",
        key_id: "mch_claimed",
        step: "signature",
        path: expect.stringContaining("/ReadSecrets") as unknown,
      },
    });
  });

  test("names a principal once the signature held", async () => {
    const [machine, user] = [newMachine(), newUser(Role.AUDITOR)];
    const digest = new Uint8Array(32).fill(1);
    log.note(
      refused({
        error: fail(Reason.ROLE_REQUIRED),
        known: { claims: claimsOf(machine), digest },
      }),
    );
    log.note(
      refused({ error: fail(Reason.ROLE_REQUIRED), known: { claims: claimsOf(user), digest } }),
    );
    await expect.poll(() => peers.events).toHaveLength(2);
    const { principalId: machineId, vaultId } = machine;
    const actor = {
      actorKind: ActorKind.MACHINE,
      actorId: machineId,
      machineId,
      vaultId,
      requestDigest: digest,
    };
    expect(peers.events[0]).toMatchObject(actor);
    expect(peers.events[1]).toMatchObject({
      actorKind: ActorKind.USER,
      actorId: user.principalId,
      machineId: "",
    });
  });

  test("of a replay is an action of its own", async () => {
    log.note(refused({ error: replay() }));
    await expect.poll(() => peers.events.map(({ action }) => action)).toEqual(["replay.refused"]);
  });

  test("has only what the catalogue allows", async () => {
    log.note(
      refused({
        error: replay(),
        known: { claimedKeyId: "k" },
      }),
    );
    log.note(refused({ error: new EvidenceError("path", ""), known: { claimedKeyId: "k" } }));
    await expect.poll(() => peers.events).toHaveLength(2);
    for (const { action, detail } of peers.events)
      expect(Object.keys(detail).every((key) => ruleOf(action)?.detail.includes(key))).toBe(true);
  });
});

const minute = 60_000;

describe("many refusals", () => {
  test("of one kind are one record at once and one with the count when the window ends", async () => {
    for (let n = 0; n < 1000; n += 1) log.note(refused());
    await settled();
    expect(counts()).toEqual(["1"]);
    vi.advanceTimersByTime(minute);
    await expect.poll(counts).toEqual(["1", "999"]);
  });

  test("under keyids made up by a stranger, or from one IPv6 network, are one kind", async () => {
    for (let n = 0; n < 100; n += 1) {
      log.note(refused({ known: { claimedKeyId: newMachine().keyId } }));
      log.note(refused({ sourceIp: `2001:db8::${n}` }));
    }
    await settled();
    expect(counts()).toEqual(["1", "1"]);
  });

  test("in the name of a principal that there is are a kind for each", async () => {
    for (const { keyId } of [newMachine(), newMachine(), newUser(Role.OWNER)])
      for (let n = 0; n < 10; n += 1)
        log.note(refused({ known: { claimedKeyId: keyId, knownKeyId: keyId } }));
    await settled();
    expect(counts()).toEqual(["1", "1", "1"]);
    expect(new Set(peers.events.map(({ detail }) => detail["key_id"])).size).toBe(3);
    expect(peers.events.every(({ actorId }) => actorId === "")).toBe(true);
  });

  test("of many addresses, keys and reasons are bounded, and none is uncounted", async () => {
    const errors = [
      fail(Reason.REQUEST_REJECTED),
      fail(Reason.CLOCK_SKEW),
      fail(Reason.FIELD_INVALID),
    ];
    const total = 6000;
    for (let n = 0; n < total; n += 1) {
      const plain = errors[n % errors.length] ?? fail(Reason.INTERNAL);
      const error = n % 2 === 0 ? replay(plain.reason) : plain;
      const known = { claimedKeyId: newMachine().keyId };
      log.note(refused({ sourceIp: `10.0.${n >> 8}.${n & 255}`, error, known }));
    }
    await settled();
    const first = peers.events.length;
    expect(first).toBeLessThanOrEqual(2 * (50 + errors.length));
    vi.advanceTimersByTime(minute);
    await settled();
    expect(peers.events.length - first).toBeLessThanOrEqual(2 * (50 + errors.length));
    expect(counts().reduce((sum, count) => sum + Number(count), 0)).toBe(total);
    const rest = peers.events.filter(({ sourceIp }) => sourceIp === "");
    expect(new Set(rest.map(({ reason }) => reason)).size).toBe(errors.length);
  });

  test("of strangers take no place of a principal's", async () => {
    for (let n = 0; n < 1000; n += 1) log.note(refused({ sourceIp: `10.0.${n >> 8}.${n & 255}` }));
    const machine = newMachine();
    log.note(refused({ error: fail(Reason.ROLE_REQUIRED), known: { claims: claimsOf(machine) } }));
    await expect
      .poll(() => peers.events.map(({ actorId, vaultId }) => [actorId, vaultId]))
      .toContainEqual([machine.principalId, machine.vaultId]);
  });

  test("that are still counted are sent when it stops", async () => {
    for (let n = 0; n < 3; n += 1) log.note(refused());
    await log[Symbol.asyncDispose]();
    expect(counts()).toEqual(["1", "2"]);
  });
});

test("faults of our own are no refusals", async () => {
  for (const error of [
    fail(Reason.DEPENDENCY_UNAVAILABLE),
    fail(Reason.INTERNAL),
    new Error("bug"),
  ])
    log.note(refused({ error }));
  await settled();
  expect(peers.events).toEqual([]);
});

test("a log that is away delays nothing, is told of in ours, and has the refusals later", async () => {
  const { append } = peers.steps;
  peers.steps.append = () => {
    throw fail(Reason.DEPENDENCY_UNAVAILABLE);
  };
  log.note(refused());
  await expect.poll(() => lines.join("")).toContain("records of refusals wait");
  peers.steps.append = append;
  log.note(refused({ sourceIp: "192.0.2.2" }));
  await expect.poll(counts).toEqual(["1", "1"]);
});
