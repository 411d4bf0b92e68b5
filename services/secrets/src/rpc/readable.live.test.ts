import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { Purpose } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { fail, toRefusal } from "@sallyport/rpc";
import { type SigningUser, newMachine, newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { resetPeers } from "../testing/memory-peers.ts";
import {
  type TestSecrets,
  addTestProject,
  addTestSecret,
  addTestVersion,
  deleteTestSecret,
  reasonOf,
  startTestSecrets,
} from "../testing/secrets.ts";

const { listReadableSecrets } = ReadService.method;

let secrets: TestSecrets;
let owner: SigningUser;
let machine: SigningUser;
let projectId: string;
let first: string;
let second: string;

beforeAll(async () => {
  secrets = await startTestSecrets();
  return () => secrets[Symbol.asyncDispose]();
});

beforeEach(async () => {
  resetPeers(secrets.memory);
  owner = newUser();
  machine = newMachine(owner.vaultId);
  projectId = await addTestProject(secrets, owner);
  first = await addTestSecret(secrets, owner, projectId, "DB_URL");
  second = await addTestSecret(secrets, owner, projectId, "API_KEY");
  await addTestVersion(secrets, owner, { projectId, secretId: first, expectedVersion: 1 });
});

function policyAllows(...secretIds: string[]): void {
  const allowed = secretIds.map((secretId) => ({ secretId }));
  secrets.memory.decide = () => ({ secrets: allowed, nextPageToken: secretIds.at(-1) ?? "" });
}

const list = (wanted: Record<string, string> = {}) =>
  secrets.call(machine, listReadableSecrets, wanted);

describe("ListReadableSecrets", () => {
  test("names what policy allows, in policy's order and with its page", async () => {
    policyAllows(second, first);
    const { secrets: listed, nextPageToken } = await list();
    expect(listed.map(({ secretId }) => secretId)).toEqual([second, first]);
    expect(listed[1]).toMatchObject({
      name: "DB_URL",
      projectId,
      projectName: "payments",
      version: 2,
      kind: ValueKind.SINGLE,
    });
    expect(nextPageToken).toBe(first);
  });

  test("asks policy for a listing, of what the machine signed and of nobody else's", async () => {
    policyAllows();
    const pageToken = newId("sec");
    expect((await list({ pageToken })).secrets).toEqual([]);
    await list({ projectId });
    const asking = { vaultId: machine.vaultId, machineId: machine.userId, purpose: Purpose.LIST };
    expect(secrets.memory.asked).toMatchObject([
      {
        ...asking,
        allGranted: true,
        projectId: "",
        pageToken,
        sourceIp: "192.0.2.7",
        secretIds: [],
      },
      { ...asking, allGranted: false, projectId, pageToken: "" },
    ]);
  });

  test("leaves out what is refused, what is deleted, what is nowhere, and other vaults' secrets", async () => {
    const stranger = newUser();
    const elsewhere = await addTestProject(secrets, stranger, "other");
    const foreign = await addTestSecret(secrets, stranger, elsewhere, "FOREIGN");
    await deleteTestSecret(secrets, owner, second);
    secrets.memory.decide = () => ({
      secrets: [
        ...[foreign, second, newId("sec")].map((secretId) => ({
          secretId,
        })),
        { secretId: first, refusal: { reason: Reason.NOT_GRANTED } },
      ],
    });
    expect((await list()).secrets).toEqual([]);
    policyAllows(foreign, first);
    expect((await list()).secrets.map(({ secretId }) => secretId)).toEqual([first]);
  });

  test("passes policy's refusal on, and needs policy", async () => {
    secrets.memory.decide = () => ({ refusal: toRefusal(fail(Reason.MACHINE_EXPIRED)) });
    expect(await reasonOf(list())).toBe(Reason.MACHINE_EXPIRED);
    secrets.memory.down.policy = true;
    expect(await reasonOf(list())).toBe(Reason.DEPENDENCY_UNAVAILABLE);
  });

  test("is for machines: a user is refused, and no other method of the read is answered here", async () => {
    expect(await reasonOf(secrets.call(owner, listReadableSecrets, {}))).toBe(Reason.ROLE_REQUIRED);
    const { readSecrets } = ReadService.method;
    const read = secrets.call(machine, readSecrets, { secretIds: [first] });
    expect(await reasonOf(read)).toBe(Reason.EVIDENCE_INVALID);
  });
});
