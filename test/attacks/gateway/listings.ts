import { openSallyport, toSallyportError } from "@sallyport/client";
import { describe, expect, test } from "vitest";
import type { Field } from "../field.ts";
import type { Front } from "./front.ts";
import type { Stage } from "./stage.ts";

const createPath = "/sallyport.secrets.v1.SecretService/CreateSecret";
const addPath = "/sallyport.secrets.v1.SecretService/AddVersion";

/**
 * Should a look-up be false all the same, as a stolen owner could make it: what follows from a lie
 * is bound.
 */
export function describeListings(stage: () => Stage, front: () => Front): void {
  describe("a value that was sealed by a false id", () => {
    test("a value sealed for a project's name does not go into another project", async () => {
      const { field } = stage();
      const writer = openSallyport(field.owner);
      const { project } = await writer.services.projects.createProject({ name: "elsewhere" });
      const wrongId = project?.projectId ?? "";
      const write = (projectId: string) =>
        writer.createSecret({
          projectId,
          projectName: "web",
          name: "LURED",
          plaintext: Buffer.from("x"),
        });
      await refusedAtCrypto(field, front(), createPath, () => write(wrongId), "secret.created");
      expect((await write(field.projectId)).name).toBe("LURED");
      writer.close();
    });

    test("a value sealed for a secret's name does not go into another secret", async () => {
      const { field } = stage();
      const writer = openSallyport(field.owner);
      const write = (secretId: string) =>
        writer.addVersion({
          secretId,
          name: "OTHER",
          projectId: field.projectId,
          projectName: "web",
          expectedVersion: 1,
          plaintext: Buffer.from("canary-of-another-machine"),
        });
      const wrongId = field.ids["API_KEY"] ?? "";
      await refusedAtCrypto(field, front(), addPath, () => write(wrongId), "secret.version.added");
      expect((await write(field.ids["OTHER"] ?? "")).currentVersion).toBe(2);
      writer.close();
    });
  });
}

/**
 * The value was sealed for other names: crypto cannot open it, nothing is stored, and nothing is on
 * record.
 */
async function refusedAtCrypto(
  field: Field,
  front: Front,
  path: string,
  write: () => Promise<unknown>,
  action: string,
): Promise<void> {
  const begin = await field.ledger.end();
  front.seen.length = 0;
  expect(await write().then(() => undefined, toSallyportError)).toBeDefined();
  expect(front.seen).toContainEqual({ path, verdict: "FIELD_INVALID value" });
  expect(await field.ledger.since(begin, action)).toEqual([]);
}
