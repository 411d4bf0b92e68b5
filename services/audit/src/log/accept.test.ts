import { clone, create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Emitter, events, newEvent } from "@sallyport/proto/catalogue";
import {
  type Event,
  EventSchema,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import {
  ActorKind,
  Outcome,
  type RefusedSecret,
  RefusedSecretSchema,
  Severity,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { Peer } from "@sallyport/rpc";
import { describe, expect, test } from "vitest";
import { acceptEvent, isBounded } from "./accept.ts";

const read = newEvent("crypto", "secret.read", {
  machineId: "mch_1",
  actorKind: ActorKind.MACHINE,
  decisionId: "dec_1",
  secretId: "sec_1",
  requestDigest: new Uint8Array(32),
  attemptId: new Uint8Array(16),
  detail: { name: "db" },
});

const refusedSecret = (secretId: string): RefusedSecret =>
  create(RefusedSecretSchema, { secretId, reason: "NOT_GRANTED" });

function changed(fields: Partial<Event>): Event {
  return Object.assign(clone(EventSchema, read), fields);
}

// Who may report what, once more and by hand: a slip in the catalogue must not pass for a decision.
const emitters: Readonly<Record<string, readonly Emitter[]>> = {
  "process.started": ["gateway", "identity", "policy", "secrets", "crypto", "audit"],
  "request.rejected": ["gateway"],
  "replay.refused": ["gateway"],
  "mutation.replayed": ["identity", "policy", "secrets"],
  "vault.created": ["identity"],
  "login_code.created": ["identity"],
  "login_code.revoked": ["identity"],
  "login_code.refused": ["identity"],
  "user.enrolled": ["identity"],
  "user.removed": ["identity"],
  "device.added": ["identity"],
  "device.renewed": ["identity"],
  "device.revoked": ["identity"],
  "token.created": ["identity"],
  "token.revoked": ["identity"],
  "token.refused": ["identity"],
  "token.exhausted": ["identity"],
  "token.checked": ["identity"],
  "machine.enrolled": ["identity"],
  "machine.disabled": ["identity"],
  "machine.enabled": ["identity"],
  "machine.revoked": ["identity"],
  "machine.expired": ["identity"],
  "machine.renamed": ["identity"],
  "membership.added": ["policy"],
  "membership.removed": ["policy"],
  "grant.added": ["policy"],
  "grant.changed": ["policy"],
  "grant.removed": ["policy"],
  "vault.sealing_required": ["policy"],
  "secret.sealing_required": ["policy"],
  "project_role.set": ["policy"],
  "project_role.removed": ["policy"],
  "project.created": ["secrets"],
  "secret.created": ["secrets"],
  "secret.version.added": ["secrets"],
  "secret.rolled_back": ["secrets"],
  "secret.updated": ["secrets"],
  "secret.deleted": ["secrets"],
  "secret.restored": ["secrets"],
  "secret.purged": ["secrets"],
  "project.deleted": ["secrets"],
  "project.restored": ["secrets"],
  "project.purged": ["secrets"],
  "secret.read": ["crypto"],
  "machine.denials_exceeded": ["policy"],
  "records.limit_near": ["audit"],
  "records.limit_reached": ["audit"],
  "secret.read.denied": ["policy"],
};
const peers: readonly Peer[] = [
  "gateway",
  "identity",
  "policy",
  "secrets",
  "crypto",
  "audit",
  "operator",
];

describe("who may report what", () => {
  test("the table covers the catalogue", () => {
    expect(Object.keys(emitters).sort()).toEqual(Object.keys(events).sort());
  });

  const cases = Object.entries(emitters).flatMap(([action, allowed]) =>
    peers.map((peer) => ({ action, peer, want: allowed.some((name) => name === peer) })),
  );
  test.each(cases)("$action by $peer: $want", ({ action, peer, want }) => {
    const rule = Object.entries(events).find(([name]) => name === action)?.[1];
    const event = changed({ action, outcome: rule?.outcomes[0] ?? Outcome.ALLOWED, detail: {} });
    if (want) {
      expect(acceptEvent(event, peer)).toEqual({ event, emitter: peer, severity: rule?.severity });
    } else {
      expect(() => acceptEvent(event, peer)).toThrow(
        expect.objectContaining({ reason: Reason.PEER_NOT_ALLOWED }) as Error,
      );
    }
  });

  test("severity comes from the catalogue", () => {
    expect(acceptEvent(read, "crypto").severity).toBe(Severity.INFO);
  });
});

describe("what is refused", () => {
  test.each<{ name: string; fields: Partial<Event>; field: string }>([
    { name: "a read that is denied", fields: { outcome: Outcome.DENIED }, field: "outcome" },
    { name: "a foreign detail key", fields: { detail: { value: "x" } }, field: "detail" },
    { name: "NUL in a field", fields: { actorId: "a\u0000" }, field: "text" },
    { name: "NUL in a detail", fields: { detail: { name: "a\u0000" } }, field: "text" },
    {
      name: "a source that is no address",
      fields: { sourceIp: "client.example" },
      field: "source_ip",
    },
    { name: "a source with a zone", fields: { sourceIp: "fe80::1%eth0" }, field: "source_ip" },
    {
      name: "a time before this log",
      fields: { time: timestampFromDate(new Date(0)) },
      field: "time",
    },
    {
      name: "a read without a decision: it would be outside of the rule of one",
      fields: { decisionId: "" },
      field: "decision_id",
    },
    {
      name: "a read without a machine: nothing would bound it",
      fields: { machineId: "" },
      field: "machine_id",
    },
    {
      name: "a read that lists refused secrets",
      fields: { refused: [refusedSecret("sec_2")] },
      field: "refused",
    },
    { name: "a read without a secret", fields: { secretId: "" }, field: "secret_id" },
    {
      name: "a read without its request: it would be outside of the rule of one",
      fields: { requestDigest: new Uint8Array() },
      field: "request_digest",
    },
    {
      name: "a read with a digest of another length",
      fields: { requestDigest: new Uint8Array(31) },
      field: "request_digest",
    },
    {
      name: "a read without an attempt",
      fields: { attemptId: new Uint8Array() },
      field: "attempt_id",
    },
  ])("$name", ({ fields, field }) => {
    expect(() => acceptEvent(changed(fields), "crypto")).toThrow(
      expect.objectContaining({
        reason: Reason.FIELD_INVALID,
        metadata: expect.objectContaining({ field }) as object,
      }) as Error,
    );
  });

  test.each(["", "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "0:0:0:0:0:ffff:255.255.255.255"])(
    "but not the source %s",
    (sourceIp) => {
      expect(acceptEvent(changed({ sourceIp }), "crypto").event.sourceIp).toBe(sourceIp);
    },
  );

  describe("refused secrets", () => {
    const denied = (...refused: RefusedSecret[]) =>
      newEvent("policy", "secret.read.denied", { actorKind: ActorKind.MACHINE, refused });

    test("are taken in a denial, and bounded by machine as reads are", () => {
      const event = denied(refusedSecret("sec_1"), refusedSecret("sec_2"));
      expect(acceptEvent(event, "policy").event.refused).toHaveLength(2);
      expect(isBounded({ ...event, machineId: "mch_1" })).toBe(true);
      expect(isBounded(changed({}))).toBe(true);
      expect(isBounded({ action: "machine.enrolled", machineId: "mch_1" })).toBe(false);
    });

    test.each([
      {
        name: "twice",
        event: denied(refusedSecret("sec_1"), refusedSecret("sec_1")),
        field: "refused",
      },
      {
        name: "with a NUL character",
        event: denied(refusedSecret("sec_1\u0000"), refusedSecret("sec_2")),
        field: "text",
      },
    ])("are not taken $name: the database would refuse everybody's batch", ({ event, field }) => {
      expect(() => acceptEvent(event, "policy")).toThrow(
        expect.objectContaining({
          metadata: expect.objectContaining({ field }) as object,
        }) as Error,
      );
    });
  });

  test("an action outside of the catalogue is nobody's", () => {
    expect(() => acceptEvent(changed({ action: "toString" }), "crypto")).toThrow(
      expect.objectContaining({ reason: Reason.PEER_NOT_ALLOWED }) as Error,
    );
  });
});
