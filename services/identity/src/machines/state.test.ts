import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { MachineState } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { expect, test } from "vitest";
import { refusalOf, stateOf, storedStateOf } from "./state.ts";

const nowMs = 1_800_000_000_000;
const states = ["provisioning", "active", "disabled", "revoked", "expired"] as const;
const ofContract = {
  provisioning: MachineState.PROVISIONING,
  active: MachineState.ACTIVE,
  disabled: MachineState.DISABLED,
  revoked: MachineState.REVOKED,
  expired: MachineState.EXPIRED,
};

test.each(states)("a stored %s is that of the contract, and back", (state) => {
  expect(stateOf({ state, expiresAt: new Date(nowMs + 1) }, nowMs)).toBe(ofContract[state]);
  expect(storedStateOf(ofContract[state])).toBe(state);
});

test.each(states)("from its end on, a stored %s is expired unless it was revoked", (state) => {
  const expected = state === "revoked" ? MachineState.REVOKED : MachineState.EXPIRED;
  expect(stateOf({ state, expiresAt: new Date(nowMs) }, nowMs)).toBe(expected);
});

test("a state that no request may name is none", () => {
  expect(() => storedStateOf(MachineState.UNSPECIFIED)).toThrow("no machine is ever in state 0");
});

test("only an active machine gets credentials; a provisioning one neither that nor a refusal", () => {
  const { ACTIVE, PROVISIONING, DISABLED, REVOKED, EXPIRED } = MachineState;
  expect([ACTIVE, PROVISIONING, DISABLED, REVOKED, EXPIRED].map(refusalOf)).toEqual([
    Reason.UNSPECIFIED,
    undefined,
    Reason.MACHINE_DISABLED,
    Reason.MACHINE_DISABLED,
    Reason.MACHINE_EXPIRED,
  ]);
});
