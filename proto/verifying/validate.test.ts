import { create } from "@bufbuild/protobuf";
import { ReadSecretsRequestSchema } from "../gen/sallyport/gateway/v1/read_pb.ts";
import { expect, test } from "vitest";
import { violationOf } from "./validate.ts";

test("the first bound that is broken is named, with what it asks for", () => {
  const request = create(ReadSecretsRequestSchema, { secretIds: ["one", "two"] });
  const violation = violationOf(ReadSecretsRequestSchema, request);
  expect(violation?.field).toBe("secret_ids[0]");
  expect(violation?.description).toMatch(/regex|pattern/);
  const good = create(ReadSecretsRequestSchema, { allGranted: true });
  expect(violationOf(ReadSecretsRequestSchema, good)).toBeUndefined();
});
