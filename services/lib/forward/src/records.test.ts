import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { PrincipalKind, Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { expect, test } from "vitest";
import type { ForwardContext } from "./forward-methods.ts";
import { actorOf, callerOf, originOf, principalOf, recordOf } from "./records.ts";

const nowMs = 1_800_000_000_000;
const [id, vaultId] = [newId("usr"), newId("vlt")];
const principal = { id, vaultId, role: Role.ADMIN, kind: PrincipalKind.USER };
const stated = {
  sourceIp: "192.0.2.1",
  client: "curl/8.0",
  requestDigest: new Uint8Array(32).fill(7),
};
const signed = { ...stated, principal } as unknown as ForwardContext;
const stranger = { ...stated, principal: undefined } as unknown as ForwardContext;

test("the caller is the signer, with vault and role", () => {
  expect(principalOf(signed)).toBe(principal);
  expect(callerOf(signed)).toEqual({ userId: id, vaultId, role: Role.ADMIN });
});

test("a request of a key that is not enrolled has no caller", () => {
  for (const ask of [principalOf, callerOf])
    expect(() => ask(stranger)).toThrow(
      expect.objectContaining({ reason: Reason.ROLE_REQUIRED }) as Error,
    );
  expect(() => recordOf(stranger, new Date(nowMs))).toThrow();
});

test("a record names the actor, the origin of the request, the time and the vault", () => {
  const actor = { actorKind: ActorKind.USER, actorId: id };
  const origin = { ...stated, time: timestampFromMs(nowMs) };
  expect(actorOf(signed)).toEqual(actor);
  expect(originOf(signed, nowMs)).toEqual(origin);
  expect(recordOf(signed, new Date(nowMs))).toEqual({ ...actor, ...origin, vaultId });
});

test("somebody unknown acts without an id", () => {
  expect(actorOf(stranger)).toEqual({ actorKind: ActorKind.UNKNOWN, actorId: "" });
});
