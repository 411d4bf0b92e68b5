import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type ForwardMethods, forwardMethods } from "@sallyport/evidence";
import type { Tx } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { fail } from "@sallyport/rpc";
import { nameOfToken, pageLimit, pageOf, tokenOfName, versionOfToken } from "../page.ts";
import { findProject } from "../store/projects.ts";
import { type SecretKeyword, type StoredSecret, findSecret, listSecrets } from "../store/secrets.ts";
import { type StoredVersion, listVersions } from "../store/versions.ts";
import { type PublicParts, callerOf } from "./records.ts";
import { addVersion, createSecret } from "./writes.ts";

/** SecretService. Everything outside the caller's vault is not found; no method returns a value. */
export function secretMethods(parts: PublicParts): ForwardMethods {
  return forwardMethods(SecretService, {
    createSecret: async (context, request) => {
      const secret = await context.mutate((tx) => createSecret(tx, context, request, parts));
      return { secret: shown(secret) };
    },
    addVersion: async (context, request) => {
      const secret = await context.mutate((tx) => addVersion(tx, context, request, parts));
      return { secret: shown(secret) };
    },
    getSecret: async (context, { secretId, projectId, name }) => {
      const keyword = secretId === "" ? { projectId, name } : { secretId };
      return { secret: shown(await requireSecret(parts.database, callerOf(context).vaultId, keyword)) };
    },
    listSecrets: async (context, { projectId, pageSize, pageToken }) => {
      const { vaultId } = callerOf(context);
      const project = await findProject(parts.database, vaultId, { by: "project_id", value: projectId });
      if (!project) throw fail(Reason.NOT_FOUND, { field: "project_id" });
      const found = { after: nameOfToken(pageToken), limit: pageLimit(pageSize) + 1 };
      const page = pageOf(await listSecrets(parts.database, vaultId, projectId, found), pageSize);
      return { secrets: page.items.map(shown), nextPageToken: page.last ? tokenOfName(page.last.name) : "" };
    },
    listVersions: async (context, { secretId, pageSize, pageToken }) => {
      const { vaultId } = callerOf(context);
      await requireSecret(parts.database, vaultId, { secretId });
      const found = { below: versionOfToken(pageToken), limit: pageLimit(pageSize) + 1 };
      const page = pageOf(await listVersions(parts.database, vaultId, secretId, found), pageSize);
      return {
        versions: page.items.map(shownVersion),
        nextPageToken: page.last ? String(page.last.version) : "",
      };
    },
  });
}

async function requireSecret(db: Tx, vaultId: string, keyword: SecretKeyword): Promise<StoredSecret> {
  const secret = await findSecret(db, vaultId, keyword);
  if (!secret) throw fail(Reason.NOT_FOUND, { field: "secret" });
  return secret;
}

function shown({ createdAt, updatedAt, fieldNames, ...secret }: StoredSecret) {
  return {
    ...secret,
    fieldNames: [...fieldNames],
    createdAt: timestampFromDate(createdAt),
    updatedAt: timestampFromDate(updatedAt),
  };
}

function shownVersion({ createdAt, fieldNames, ...version }: StoredVersion) {
  return { ...version, fieldNames: [...fieldNames], createdAt: timestampFromDate(createdAt) };
}
