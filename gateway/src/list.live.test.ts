import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { Purpose } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type TestPki, createTestPki, testRedisUrl } from "@sallyport/test/infra";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { call } from "./testing/calls.ts";
import { allow, decide, deny, secretIdsOf } from "./testing/decisions.ts";
import { type TestGateway, startTestGateway } from "./testing/gateway.ts";
import { type TestPrincipal, newMachine } from "./testing/keys.ts";
import { connectJson } from "./testing/wires.ts";

let pki: TestPki;
let gateway: TestGateway;
let machine: TestPrincipal;
const { listReadableSecrets } = ReadService.method;

beforeAll(async () => {
  pki = await createTestPki();
  gateway = await startTestGateway({ certificates: pki, redisUrl: testRedisUrl() });
  machine = gateway.peers.enroll(newMachine());
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await pki[Symbol.asyncDispose]();
});
beforeEach(() => void gateway.peers.reached.splice(0));

describe("ListReadableSecrets", () => {
  const list = (wanted: Record<string, string> = {}) =>
    call(connectJson, gateway, machine, listReadableSecrets, wanted);

  test("names what policy allows, in policy's order, as secrets describes it", async () => {
    const [readable, other] = [secretIdsOf(3), secretIdsOf(1)];
    const asked = decide(gateway.peers, [...allow(readable), ...deny(other)], readable[2]);
    const answer = await list();
    if (answer.kind !== "reply") throw new Error(answer.refusal.text);
    expect(asked[0]).toMatchObject({ purpose: Purpose.LIST, allGranted: true, secretIds: [] });
    const { secrets, nextPageToken } = answer.message;
    expect(secrets.map(({ secretId }) => secretId)).toEqual(readable);
    for (const secret of secrets)
      expect(secret).toMatchObject({ name: `name-of-${secret.secretId}`, projectName: "web", version: 3 });
    expect(nextPageToken).toBe(readable[2]);
    expect(gateway.peers.reached).toEqual(["policy.authorize", "secrets.describe"]);
  });

  test("asks about one project when it is named", async () => {
    const asked = decide(gateway.peers, []);
    const projectId = newId("prj");
    expect(await list({ projectId })).toMatchObject({ kind: "reply", message: { secrets: [] } });
    expect(asked[0]).toMatchObject({ projectId, allGranted: false });
    expect(gateway.peers.reached).toEqual(["policy.authorize"]);
  });

  test("leaves out what secrets does not know", async () => {
    const readable = secretIdsOf(2);
    decide(gateway.peers, allow(readable));
    gateway.peers.steps.describe = ({ secretIds }) => ({
      secrets: secretIds.slice(1).map((secretId) => ({ secretId })),
    });
    const answer = await list();
    expect(answer).toMatchObject({ message: { secrets: [{ secretId: readable[1] }] } });
  });
});
