import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { PrincipalKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { expect, test } from "vitest";
import { actorOf } from "./actor.ts";

test("a machine is named as such too, and who is unknown is not named", () => {
  const { MACHINE, USER, UNKNOWN } = ActorKind;
  const machine = actorOf({ id: "mch_1", kind: PrincipalKind.MACHINE });
  expect(machine).toEqual({ actorKind: MACHINE, actorId: "mch_1", machineId: "mch_1" });
  const user = actorOf({ id: "usr_1", kind: PrincipalKind.USER });
  expect(user).toEqual({ actorKind: USER, actorId: "usr_1", machineId: "" });
  expect(actorOf(undefined)).toEqual({ actorKind: UNKNOWN, actorId: "", machineId: "" });
});
