import { createHash, randomBytes } from "node:crypto";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { openSlip } from "@sallyport/evidence";
import { openDatabase } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { FetchResult } from "@sallyport/proto/gen/sallyport/secrets/internal/v1/fetch_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type SigningUser, newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type TestSecrets,
  addTestProject,
  addTestSecret,
  addTestVersion,
  reasonOf,
  startTestSecrets,
} from "../testing/secrets.ts";

let secrets: TestSecrets;
let owner: SigningUser;
let projectId: string;
let first: string;
let second: string;

beforeAll(async () => {
  secrets = await startTestSecrets();
  return () => secrets[Symbol.asyncDispose]();
});

beforeEach(async () => {
  owner = newUser();
  projectId = await addTestProject(secrets, owner);
  first = await addTestSecret(secrets, owner, projectId, "DB_URL");
  second = await addTestSecret(secrets, owner, projectId, "API_KEY");
  await addTestVersion(secrets, owner, { projectId, secretId: first, expectedVersion: 1 });
});

function itemOf(secretIds: string[], requestedVersion = 0, vaultId = owner.vaultId) {
  return { requestDigest: new Uint8Array(randomBytes(32)), vaultId, secretIds, requestedVersion };
}

async function fetch(...item: Parameters<typeof itemOf>): Promise<FetchResult> {
  const { results } = await secrets.fetching.fetch({ items: [itemOf(...item)] });
  const [result] = results;
  if (!result) throw new Error("no result");
  return result;
}

function slipsOf({ secrets: found }: FetchResult) {
  return found.map(({ slip }) => {
    if (!slip) throw new Error("no slip");
    return openSlip(slip, secrets.slipKeys, secrets.time.nowMs);
  });
}

describe("Fetch", () => {
  test("binds each envelope to its place, the selector and the request, for ten seconds", async () => {
    const result = await fetch([second, first]);
    expect(result.secrets.map(({ secretId }) => secretId)).toEqual([second, first]);
    const [, slip] = slipsOf(result);
    const found = result.secrets[1];
    expect(slip).toMatchObject({
      vaultId: owner.vaultId,
      projectId,
      secretId: first,
      name: "DB_URL",
    });
    expect(slip).toMatchObject({
      version: 2,
      requestedVersion: 0,
      requestDigest: result.requestDigest,
    });
    expect(Buffer.from(slip?.envelopeSha256 ?? [])).toEqual(
      createHash("sha256")
        .update(found?.envelope ?? "")
        .digest(),
    );
    expect(found?.projectKey).toEqual(new TextEncoder().encode(`key ${projectId} 1`));
    if (!slip?.expiresAt) throw new Error("no expiry");
    expect(timestampMs(slip.expiresAt)).toBe(secrets.time.nowMs + 10_000);
  });

  test("answers current with the newest version and a number with that version", async () => {
    expect(slipsOf(await fetch([first]))).toMatchObject([{ version: 2, requestedVersion: 0 }]);
    expect(slipsOf(await fetch([first], 1))).toMatchObject([{ version: 1, requestedVersion: 1 }]);
    expect(slipsOf(await fetch([first], 2))).toMatchObject([{ version: 2, requestedVersion: 2 }]);
    expect((await fetch([first], 3)).secrets).toEqual([]);
    expect((await fetch([first], 0xffff_ffff)).secrets).toEqual([]);
    const [one, two] = [await fetch([first], 1), await fetch([first], 2)];
    expect(one.secrets[0]?.envelope).not.toEqual(two.secrets[0]?.envelope);
  });

  test("leaves out what the vault does not have", async () => {
    expect((await fetch([first, newId("sec")])).secrets.map(({ secretId }) => secretId)).toEqual([
      first,
    ]);
    expect((await fetch([first], 0, newId("vlt"))).secrets).toEqual([]);
  });

  test("answers the items of a batch by themselves", async () => {
    const items = [itemOf([first], 1), itemOf([first, second]), itemOf([second], 0, newId("vlt"))];
    const { results } = await secrets.fetching.fetch({ items });
    const found = items.map(({ requestDigest }) =>
      results
        .find((result) => Buffer.compare(result.requestDigest, requestDigest) === 0)
        ?.secrets.map(({ secretId }) => secretId),
    );
    expect(found).toEqual([[first], [first, second], []]);
  });

  test("refuses what would not fit into a reply", async () => {
    await using database = openDatabase({ url: secrets.ownerUrl, applicationName: "test-owner" });
    await database.query("update versions set envelope = $2 where secret_id = $1", [
      second,
      Buffer.alloc(3_200_000),
    ]);
    expect(await reasonOf(fetch([second]))).toBe(Reason.TOO_LARGE);
  });
});
