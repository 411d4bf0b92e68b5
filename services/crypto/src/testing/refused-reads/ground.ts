import { create, toJsonString } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ReadSecretsRequestSchema } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { createFileKek } from "@sallyport/proto/keyring";
import { unwrapProjectKey, wrapProjectKey } from "../../project-key.ts";
import { createDeployment, nowMs } from "../deployment.ts";
import { type ReadPlan, type StoredSecret, storeSecret } from "../read.ts";

export const deployment = createDeployment();
export const { machine, user, identity, keyring, projectId } = deployment;
export const stored = [
  await storeSecret(deployment, "DB_URL"),
  await storeSecret(deployment, "API_KEY"),
];
export const [first, second] = stored as [StoredSecret, StoredSecret];
export const other = createDeployment();
// Whole and in order, but where the machine has no business.
export const elsewhere = {
  vault: await storeSecret({ ...deployment, vaultId: other.vaultId }, "ELSEWHERE"),
  project: await storeSecret({ ...deployment, projectId: other.projectId }, "ELSEWHERE"),
};
export const later = await wrappedLater(first);
export const ids = stored.map(({ secretId }) => secretId);
export const expired = timestampFromMs(nowMs - 1);
export const decided = (changed: object) => ({
  secrets: ids.map((secretId) => ({ secretId, projectId, ...changed })),
});
export const json = (text: string) => ({
  contentType: "application/json",
  body: Buffer.from(text),
});
export const readJson = toJsonString(
  ReadSecretsRequestSchema,
  create(ReadSecretsRequestSchema, { secretIds: ids }),
);

/** A read that differs from a valid one in one thing, and which check refuses it. */
export type Case = {
  readonly step: string;
  /**
   * What the log is told: no two checks say the same, so that the check which refused is the one
   * meant.
   */
  readonly says: string;
  readonly name: string;
  readonly plan: ReadPlan;
  readonly stored?: readonly StoredSecret[];
};

async function wrappedLater(secret: StoredSecret): Promise<StoredSecret> {
  const kek = createFileKek(deployment.kek);
  const { key } = await unwrapProjectKey(kek, deployment, secret.projectKey);
  return { ...secret, projectKey: await wrapProjectKey(kek, deployment, { generation: 2, key }) };
}
