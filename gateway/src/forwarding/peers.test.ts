import type { Transport } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { createPeers } from "./peers.ts";
import { createTestTrust, newMachine } from "../testing/keys.ts";
import { createTestPeers } from "../testing/peers.ts";

test("keys are looked up over a way of their own, whatever is in front of Forward", async () => {
  const processes = createTestPeers(createTestTrust());
  const blocked = (): never => {
    throw new Error("uploads stand in front");
  };
  const identity: Transport = { unary: blocked, stream: blocked };
  const peers = createPeers({ ...processes.transports, identity });
  const { keyId } = processes.enroll(newMachine());
  const { results } = await peers.keys.resolveKeys({ keyIds: [keyId] });
  expect(results).toMatchObject([{ keyId }]);
  await peers.keys.reportSightings({});
  await expect(peers.owners.identity.forward({})).rejects.toThrow("uploads stand in front");
});
