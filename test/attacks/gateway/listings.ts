import { openSallyport, toSallyportError } from "@sallyport/client";
import { ListRecordsResponseSchema } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import {
  ListReadableSecretsResponseSchema,
  ReadService,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { describe, expect, test } from "vitest";
import type { Field } from "../field.ts";
import type { Front } from "./front.ts";
import { altering } from "./replies.ts";
import type { Stage } from "./stage.ts";

const listPath = `/${ReadService.typeName}/${ReadService.method.listReadableSecrets.name}`;
const auditPath = "/sallyport.audit.v1.AuditService/ListRecords";
const createPath = "/sallyport.secrets.v1.SecretService/CreateSecret";
const addPath = "/sallyport.secrets.v1.SecretService/AddVersion";

/** The attacks by false answers to look-ups, which are not signed: what follows from a lie is. */
export function describeListings(stage: () => Stage, front: () => Front): void {
  describe("lying in a listing", () => {
    test("a value sealed for a project's name does not go into another project", async () => {
      const { field } = stage();
      const writer = openSallyport(field.owner);
      const { project } = await writer.services.projects.createProject({ name: "elsewhere" });
      const wrongId = project?.projectId ?? "";
      const write = (projectId: string) =>
        writer.createSecret({ projectId, projectName: "web", name: "LURED", plaintext: Buffer.from("x") });
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

    test("a read by a false id comes with the true name, signed", async () => {
      const { field } = stage();
      const reader = openSallyport(field.machine);
      front().reply = altering(ListReadableSecretsResponseSchema, listPath, ({ secrets: [one, other] }) => {
        if (one && other) [one.name, other.name] = [other.name, one.name];
      });
      const listed = (await reader.listReadable()).find(({ name }) => name === "DB_URL");
      expect(listed?.secretId).toBe(field.ids["API_KEY"]);
      const [result] = await reader.read({ secretIds: [listed?.secretId ?? ""] });
      expect(result).toMatchObject({ kind: "value", name: "API_KEY" });
      front().reply = (_, message) => message;
      const true_ = (await reader.listReadable()).find(({ name }) => name === "DB_URL");
      expect(true_?.secretId).toBe(field.ids["DB_URL"]);
      reader.close();
    });

    test("what it gives: a listing, of secrets or of records, without what it hides", async () => {
      const { field } = stage();
      const [reader, admin] = [openSallyport(field.machine), openSallyport(field.owner)];
      front().reply = altering(ListReadableSecretsResponseSchema, listPath, (list) => (list.secrets = []));
      expect(await reader.listReadable()).toEqual([]);
      front().reply = altering(ListRecordsResponseSchema, auditPath, (list) => (list.records = []));
      expect((await admin.services.audit.listRecords({})).records).toEqual([]);
      front().reply = (_, message) => message;
      expect(await reader.listReadable()).toHaveLength(2);
      expect((await admin.services.audit.listRecords({})).records).not.toEqual([]);
      for (const client of [reader, admin]) client.close();
    });
  });
}

/** The value was sealed for other names: crypto cannot open it, nothing is stored, and nothing is on record. */
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
