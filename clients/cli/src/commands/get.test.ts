import type { ReadResult } from "@sallyport/client";
import { create } from "@bufbuild/protobuf";
import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadableSecretSchema } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { expect, test } from "vitest";
import { read } from "./get.ts";

const secretId = "sec_00000000000000000001";
const projectId = "prj_00000000000000000001";

/** A gateway that says DB_URL has the id, where crypto signs the name that the id really has. */
function readerOf(signedName: string) {
  const result: ReadResult = {
    kind: "value",
    secretId,
    projectId,
    name: signedName,
    version: 1,
    valueKind: ValueKind.SINGLE,
    plaintext: Buffer.from("a value"),
  };
  const told = { secretId, projectId, name: "DB_URL", projectName: "web" };
  return {
    read: async () => [result],
    listReadable: async () => [create(ReadableSecretSchema, told)],
  };
}

test("a name is read when the signed name is the one asked for", async () => {
  expect(await read(readerOf("DB_URL"), "DB_URL", undefined)).toMatchObject({
    kind: "value",
    name: "DB_URL",
  });
});

test("a gateway that gives another secret's id for a name is noticed", async () => {
  await expect(read(readerOf("API_KEY"), "DB_URL", "web")).rejects.toMatchObject({
    reason: "REPLY_UNTRUSTED",
  });
});

test("an id is read whatever its name is", async () => {
  expect(await read(readerOf("API_KEY"), secretId, undefined)).toMatchObject({ name: "API_KEY" });
});
