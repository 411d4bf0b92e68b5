import type { ReadResult } from "@sallyport/client/reading";
import { create } from "@bufbuild/protobuf";
import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadableSecretSchema } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { describe, expect, test } from "vitest";
import { type ReadingClient, readOne, readSelected } from "./select.ts";

type Stored = { readonly name: string; readonly project: string; readonly signedName?: string };

const idOf = (index: number): string => `sec_${String(index).padStart(20, "0")}`;
const projectId = (project: string): string => `prj_${project.padStart(20, "0")}`;

const notGranted = {
  reason: "NOT_GRANTED",
  metadata: {},
  retryAfterMs: undefined,
  nextStep: "ask an admin",
};

/**
 * A gateway that lists and signs what it is told; `signedName` is what crypto signs where the
 * listing lied.
 */
function clientOf(stored: readonly Stored[], refused: readonly string[] = []) {
  const asked: unknown[] = [];
  const resultOf = (secretId: string): ReadResult => {
    const found = stored[Number(secretId.slice(4))];
    const { name = "", project = "", signedName = name } = found ?? {};
    if (!found || refused.includes(secretId))
      return { kind: "refused", secretId, projectId: "", ...notGranted };
    const plaintext = Buffer.from(`value of ${name}`);
    const rest = { name: signedName, version: 1, valueKind: ValueKind.SINGLE, plaintext };
    return { kind: "value", secretId, projectId: projectId(project), ...rest };
  };
  const client: ReadingClient = {
    async read(target) {
      asked.push(target);
      if ("secretIds" in target) return target.secretIds.map(resultOf);
      const all = stored.map((_, index) => resultOf(idOf(index)));
      return "projectId" in target
        ? all.filter((each) => each.projectId === target.projectId)
        : all;
    },
    listReadable: async () =>
      stored.map(({ name, project }, index) =>
        create(ReadableSecretSchema, {
          secretId: idOf(index),
          name,
          projectId: projectId(project),
          projectName: project,
          version: 1,
        }),
      ),
    checkDeployment: async () => ({
      epoch: 1,
      keysetNotAfterMs: 0,
      signerNotAfterMs: 0,
      serverTimeMs: undefined,
    }),
  };
  return { client, asked };
}

const web: readonly Stored[] = [
  { name: "DB_URL", project: "web" },
  { name: "API_KEY", project: "web" },
  { name: "DB_URL", project: "api" },
];
const names = (secrets: readonly { readonly name: string }[]) => secrets.map(({ name }) => name);

describe("one secret", () => {
  test("is read by name, by id, or in a version", async () => {
    const { client, asked } = clientOf(web);
    expect(await readOne(client, "API_KEY", undefined, undefined)).toMatchObject({
      secretId: idOf(1),
    });
    expect(await readOne(client, idOf(0), undefined, 3)).toMatchObject({ name: "DB_URL" });
    expect(asked).toEqual([{ secretIds: [idOf(1)] }, { secretIds: [idOf(0)], version: 3 }]);
  });

  test("in two projects has to be chosen, by the project's name or id", async () => {
    const { client } = clientOf(web);
    await expect(readOne(client, "DB_URL", undefined, undefined)).rejects.toThrow(/in web and api/);
    expect(await readOne(client, "DB_URL", "api", undefined)).toMatchObject({ secretId: idOf(2) });
    expect(await readOne(client, "DB_URL", projectId("web"), undefined)).toMatchObject({
      secretId: idOf(0),
    });
  });

  test("is named with its project, as in grants and tokens", async () => {
    const { client } = clientOf(web);
    expect(await readOne(client, "api/DB_URL", undefined, undefined)).toMatchObject({
      secretId: idOf(2),
    });
    expect(await readOne(client, `${projectId("web")}/DB_URL`, undefined, undefined)).toMatchObject(
      {
        secretId: idOf(0),
      },
    );
    for (const key of ["api/API_KEY", "none/DB_URL", "web/"])
      await expect(readOne(client, key, undefined, undefined), key).rejects.toMatchObject({
        reason: "NOT_GRANTED",
      });
    await expect(readOne(client, "api/DB_URL", "web", undefined)).rejects.toThrow(
      /no grant covers/,
    );
  });

  test("the current one may be named by its number: it is read as the current one", async () => {
    const { client, asked } = clientOf(web);
    expect(await readOne(client, "API_KEY", undefined, 1)).toMatchObject({ version: 1 });
    expect(asked).toEqual([{ secretIds: [idOf(1)] }]);
  });

  test("one that is no longer the current one when it is read is asked for by its number", async () => {
    const { client, asked } = clientOf(web);
    const read: ReadingClient["read"] = async (target) => {
      const results = await client.read(target);
      const newer = !("version" in target);
      return results.map((each) =>
        each.kind === "value" && newer ? { ...each, version: 2 } : each,
      );
    };
    expect(await readOne({ ...client, read }, "API_KEY", undefined, 1)).toMatchObject({
      version: 1,
    });
    expect(asked).toEqual([{ secretIds: [idOf(1)] }, { secretIds: [idOf(1)], version: 1 }]);
  });

  test("a gateway that gives another secret's id for a name is noticed", async () => {
    const { client } = clientOf([{ name: "DB_URL", project: "web", signedName: "API_KEY" }]);
    await expect(readOne(client, "DB_URL", undefined, undefined)).rejects.toMatchObject({
      reason: "REPLY_UNTRUSTED",
    });
    expect(await readOne(client, idOf(0), undefined, undefined)).toMatchObject({ name: "API_KEY" });
  });

  test("that was not granted and one that does not exist are the same", async () => {
    const { client } = clientOf(web, [idOf(1)]);
    await expect(readOne(client, "NONE", undefined, undefined)).rejects.toMatchObject({
      reason: "NOT_GRANTED",
    });
    await expect(readOne(client, "API_KEY", undefined, undefined)).rejects.toMatchObject({
      reason: "NOT_GRANTED",
      message: `${idOf(1)} was refused: ask an admin`,
    });
  });
});

describe("several secrets", () => {
  test("all are read by one request, and come by name", async () => {
    const { client, asked } = clientOf(web);
    expect(names(await readSelected(client, { project: undefined, named: [] }))).toEqual([
      "API_KEY",
      "DB_URL",
      "DB_URL",
    ]);
    expect(asked).toEqual([{ allGranted: true }]);
  });

  test("those of a project are asked for by its id", async () => {
    const { client, asked } = clientOf(web);
    await readSelected(client, { project: "api", named: [] });
    await readSelected(client, { project: projectId("web"), named: [] });
    expect(asked).toEqual([{ projectId: projectId("api") }, { projectId: projectId("web") }]);
    const unknown = readSelected(client, { project: "none", named: [] });
    await expect(unknown).rejects.toThrow(/no grant covers anything in the project none/);
  });

  test("what is named is read alone, in that order, once", async () => {
    const { client, asked } = clientOf(web);
    const selection = { project: "web", named: ["DB_URL", "API_KEY", "DB_URL"] };
    expect(names(await readSelected(client, selection))).toEqual(["DB_URL", "API_KEY", "DB_URL"]);
    expect(asked).toEqual([{ secretIds: [idOf(0), idOf(1)] }]);
  });

  test("all but some are read, by name and by project; a name that is not there stops it", async () => {
    const { client, asked } = clientOf(web);
    const but = (...except: string[]) =>
      readSelected(client, { project: undefined, named: [], except });
    expect((await but("API_KEY", "api/DB_URL")).map(({ secretId }) => secretId)).toEqual([idOf(0)]);
    expect(asked).toEqual([{ secretIds: [idOf(0)] }]);
    expect(
      names(await readSelected(client, { project: "web", named: [], except: ["DB_URL"] })),
    ).toEqual(["API_KEY"]);
    await expect(but("API_KEYS")).rejects.toMatchObject({ reason: "NOT_GRANTED" });
    await expect(but("DB_URL")).rejects.toMatchObject({ reason: "NAME_AMBIGUOUS" });
    const lying = clientOf([{ name: "A", project: "web", signedName: "API_KEY" }, ...web]);
    await expect(
      readSelected(lying.client, { project: undefined, named: [], except: ["API_KEY"] }),
    ).rejects.toMatchObject({ reason: "REPLY_UNTRUSTED" });
  });

  test("more than fit one reply are read in parts, and no lie about a name passes", async () => {
    const many = Array.from({ length: 95 }, (_, index) => ({ name: `S_${index}`, project: "web" }));
    const { client, asked } = clientOf(many);
    const named = many.map(({ name }) => name);
    expect(names(await readSelected(client, { project: undefined, named }))).toEqual(named);
    expect(asked).toHaveLength(3);
    const lying = clientOf([
      ...many.slice(0, 60),
      { name: "S_60", project: "web", signedName: "S_1" },
    ]);
    await expect(
      readSelected(lying.client, { project: undefined, named: named.slice(0, 61) }),
    ).rejects.toMatchObject({ reason: "REPLY_UNTRUSTED" });
  });
});
