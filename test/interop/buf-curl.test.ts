import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { ErrorInfoSchema } from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Deployment, startDeployment } from "../system/deployment.ts";
import { run } from "./foreign-program.ts";

const root = join(import.meta.dirname, "..", "..");
// buf curl ends with eight times the code.
const unauthenticated = 16 * 8;
const rejected = Buffer.from(
  toBinary(
    ErrorInfoSchema,
    create(ErrorInfoSchema, { reason: "REQUEST_REJECTED", domain: "sallyport" }),
  ),
)
  .toString("base64")
  .replaceAll("=", "");

let deployment: Deployment;

beforeAll(async () => {
  deployment = await startDeployment();
});
afterAll(() => deployment[Symbol.asyncDispose]());

test.each(["connect", "grpc"])(
  "buf curl, which cannot sign, is refused clearly over %s",
  async (protocol) => {
    const { url, edgeCaFile } = deployment.system;
    const path = "sallyport.gateway.v1.ReadService/ReadSecrets";
    const options = ["--schema", ".", "--protocol", protocol, "--cacert", edgeCaFile];
    const data = ["--data", '{"allGranted":true}'];
    const refused = await run(
      join(root, "node_modules", ".bin", "buf"),
      ["curl", ...options, ...data, `${url}/${path}`],
      { cwd: root },
    );
    expect(refused).toMatchObject({ code: unauthenticated, stdout: "" });
    expect(refused.stderr).toMatch(/the request was rejected: .* sign every attempt anew/);
    expect(JSON.parse(refused.stderr)).toMatchObject({
      code: "unauthenticated",
      details: [{ type: "google.rpc.ErrorInfo", value: rejected }],
    });
  },
);
