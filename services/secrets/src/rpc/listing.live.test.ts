import { openDatabase } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type SigningUser, newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type TestSecrets,
  addTestProject,
  addTestSecret,
  addTestVersion,
  deleteTestSecret,
  fillTestProject,
  newDeveloper,
  reasonOf,
  startTestSecrets,
} from "../testing/secrets.ts";

const { listSecrets, batchGetSecrets, listVersions, getSecret } = SecretService.method;
const { listProjects } = ProjectService.method;

let secrets: TestSecrets;
let owner: SigningUser;
let projectId: string;

beforeAll(async () => {
  secrets = await startTestSecrets();
  return () => secrets[Symbol.asyncDispose]();
});

beforeEach(async () => {
  owner = newUser();
  projectId = await addTestProject(secrets, owner);
});

describe("ListSecrets of 10,000", () => {
  test(
    "pages stably while names are added and removed on both sides",
    { timeout: 60_000 },
    async () => {
      await fillTestProject(secrets, projectId, 10_000);
      const seen: string[] = [];
      let pageToken = "";
      let slowestMs = 0;
      let page = 0;
      do {
        const before = performance.now();
        const reply = await secrets.call(owner, listSecrets, {
          projectId,
          pageSize: 500,
          pageToken,
        });
        slowestMs = Math.max(slowestMs, performance.now() - before);
        seen.push(...reply.secrets.map(({ name }) => name));
        pageToken = reply.nextPageToken;
        // Meanwhile one that was listed goes, and so does the one where the listing stopped; one
        // comes before and behind.
        if (pageToken !== "") {
          await deleteTestSecret(secrets, owner, reply.secrets[0]?.secretId ?? "");
          await deleteTestSecret(secrets, owner, reply.secrets.at(-1)?.secretId ?? "");
          await addTestSecret(secrets, owner, projectId, `A_${page}`);
          await addTestSecret(secrets, owner, projectId, `T_${String(page).padStart(3, "0")}`);
        }
        page += 1;
      } while (pageToken !== "");
      expect(new Set(seen).size, "nothing twice").toBe(seen.length);
      expect(seen, "in order").toEqual(seen.toSorted());
      const original = Array.from(
        { length: 10_000 },
        (_, n) => `S_${String(n + 1).padStart(5, "0")}`,
      );
      expect(
        seen.filter((name) => name.startsWith("S_")),
        "all that were there",
      ).toEqual(original);
      expect(
        seen.filter((name) => name.startsWith("T_")).length,
        "and those that came behind",
      ).toBe(20);
      process.stdout.write(
        `ListSecrets, 10,000 in pages of 500: slowest page ${Math.round(slowestMs)} ms\n`,
      );
    },
  );

  test("a whole one in pages of 1,000, with the deleted ones", { timeout: 60_000 }, async () => {
    await fillTestProject(secrets, projectId, 3_000);
    await using tables = openDatabase({ url: secrets.ownerUrl, applicationName: "test-owner" });
    await tables.query(
      "update secrets set deleted_at = now(), deleted_by = 'usr' where project_id = $1 and name < 'S_02001'",
      [projectId],
    );
    const count = async (showDeleted: boolean): Promise<number[]> => {
      const sizes = [];
      let pageToken = "";
      do {
        const page = { projectId, pageSize: 1000, pageToken, showDeleted };
        const reply = await secrets.call(owner, listSecrets, page);
        sizes.push(reply.secrets.length);
        pageToken = reply.nextPageToken;
      } while (pageToken !== "");
      return sizes;
    };
    expect(await count(false)).toEqual([1000]);
    expect(await count(true)).toEqual([1000, 1000, 1000]);
    const { projects } = await secrets.call(owner, listProjects, {});
    expect(projects).toMatchObject([{ secrets: 1000 }]);
  });
});

describe("a listing with the deleted ones", () => {
  test("pages through secrets of one name", async () => {
    const ids = [];
    for (let n = 0; n < 5; n += 1) {
      const secretId = await addTestSecret(secrets, owner, projectId, "SAME");
      await deleteTestSecret(secrets, owner, secretId);
      ids.push(secretId);
    }
    ids.push(await addTestSecret(secrets, owner, projectId, "SAME"));
    const found = [];
    let pageToken = "";
    do {
      const page = { projectId, pageSize: 1, pageToken, showDeleted: true };
      const reply = await secrets.call(owner, listSecrets, page);
      found.push(...reply.secrets.map(({ secretId }) => secretId));
      pageToken = reply.nextPageToken;
    } while (pageToken !== "");
    expect(found).toEqual(ids.toSorted());
  });

  test.each([
    "x",
    "U0FNRQ",
    "U0FNRQ.sec_0",
    "U0FNRQ==.sec_00000000000000000000",
    "AA.sec_00000000000000000000",
    "U0FNRQ.usr_00000000000000000000",
    "U0FNRQ.sec_00000000000000000000 ",
  ])("refuses the token %s, which no listing gave", async (pageToken) => {
    const call = secrets.call(owner, listSecrets, { projectId, pageToken });
    await expect(call).rejects.toMatchObject({
      reason: Reason.FIELD_INVALID,
      metadata: { field: "page_token" },
    });
  });

  test("gives a token within its bound for the longest name", async () => {
    const name = "N".repeat(128);
    await addTestSecret(secrets, owner, projectId, name);
    await addTestSecret(secrets, owner, projectId, "Z");
    const first = await secrets.call(owner, listSecrets, { projectId, pageSize: 1 });
    expect(first.nextPageToken.length).toBeLessThanOrEqual(200);
    const rest = await secrets.call(owner, listSecrets, {
      projectId,
      pageToken: first.nextPageToken,
    });
    expect(rest.secrets.map((secret) => secret.name)).toEqual(["Z"]);
  });
});

describe("BatchGetSecrets", () => {
  test("describes secrets of any project of the vault; what is unknown or deleted is left out", async () => {
    const other = await addTestProject(secrets, owner, "billing");
    const one = await addTestSecret(secrets, owner, projectId, "A");
    const two = await addTestSecret(secrets, owner, other, "B");
    const gone = await addTestSecret(secrets, owner, other, "C");
    await deleteTestSecret(secrets, owner, gone);
    const secretIds = [gone, two, newId("sec"), one];
    const auditor = newUser(owner.vaultId, Role.AUDITOR);
    const found = await secrets.call(auditor, batchGetSecrets, { secretIds });
    expect(Object.fromEntries(found.secrets.map(({ secretId, name }) => [secretId, name]))).toEqual(
      {
        [one]: "A",
        [two]: "B",
      },
    );
    const all = await secrets.call(owner, batchGetSecrets, { secretIds, showDeleted: true });
    expect(all.secrets.find(({ secretId }) => secretId === gone)).toMatchObject({
      deletedBy: owner.userId,
    });
    expect(all.secrets.length).toBe(3);
    expect((await secrets.call(newUser(), batchGetSecrets, { secretIds })).secrets).toEqual([]);
  });

  test("takes 1 to 200 ids, each once", async () => {
    const ids = (count: number) => Array.from({ length: count }, () => newId("sec"));
    const call = (secretIds: string[]) =>
      reasonOf(secrets.call(owner, batchGetSecrets, { secretIds }));
    expect(await call(ids(200))).toBe(Reason.UNSPECIFIED);
    const [twice = ""] = ids(1);
    for (const wrong of [[], ids(201), [twice, twice], ["sec_1"]])
      expect(await call(wrong)).toBe(Reason.FIELD_INVALID);
  });
});

describe("versions", () => {
  test("say who made them and when; the secret says who made the current one", async () => {
    const secretId = await addTestSecret(secrets, owner, projectId, "DB_URL");
    const startMs = secrets.time.nowMs;
    const developer = newDeveloper(secrets, owner.vaultId, projectId, ProjectRole.WRITER);
    secrets.time.nowMs += 60_000;
    await addTestVersion(secrets, developer, { projectId, secretId, expectedVersion: 1 });
    const { versions } = await secrets.call(owner, listVersions, { secretId });
    expect(versions.map(({ version, createdBy }) => [version, createdBy])).toEqual([
      [2, developer.userId],
      [1, owner.userId],
    ]);
    expect(versions.map(({ createdAt }) => Number(createdAt?.seconds) * 1000 - startMs)).toEqual([
      60_000, 0,
    ]);
    const { secret } = await secrets.call(owner, getSecret, { secretId });
    expect(secret).toMatchObject({ createdBy: owner.userId, updatedBy: developer.userId });
  });

  test("page newest first while new ones come", async () => {
    const secretId = await addTestSecret(secrets, owner, projectId, "DB_URL");
    const add = (expectedVersion: number) =>
      addTestVersion(secrets, owner, { projectId, secretId, expectedVersion });
    for (let version = 1; version < 9; version += 1) await add(version);
    const seen = [];
    let pageToken = "";
    for (let current = 9; current === 9 || pageToken !== ""; current += 1) {
      const reply = await secrets.call(owner, listVersions, { secretId, pageSize: 2, pageToken });
      seen.push(...reply.versions.map(({ version }) => version));
      pageToken = reply.nextPageToken;
      await add(current);
    }
    expect(seen).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1]);
    for (const token of ["0", "-1", "1.5", "abc", "99999999999"])
      expect(
        await reasonOf(secrets.call(owner, listVersions, { secretId, pageToken: token })),
      ).toBe(Reason.FIELD_INVALID);
  });
});
