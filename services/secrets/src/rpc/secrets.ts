import {
  type ForwardMethods,
  forwardMethods,
  pageLimit,
  pageOf,
  callerOf,
} from "@sallyport/forward";
import type { Tx } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { fail } from "@sallyport/rpc";
import { cursorOfToken, tokenOfCursor, versionOfToken } from "../page-cursor.ts";
import type { Scope } from "../store/deletion.ts";
import { findProject } from "../store/projects.ts";
import {
  type SecretKeyword,
  type StoredSecret,
  findSecret,
  findSecrets,
  listSecrets,
} from "../store/secrets.ts";
import { listVersions } from "../store/versions.ts";
import { scopeOf, shownSecret, shownVersion } from "./views.ts";
import type { PublicParts } from "./records.ts";
import { requireRole, shownSecretIds } from "./rights.ts";
import { rollbackSecret } from "./rollback.ts";
import { deleteSecret, restoreSecret, updateSecret } from "./secret-changes.ts";
import { addVersion, createSecret } from "./writes.ts";

/** SecretService. Everything outside the caller's vault is not found; no method returns a value. */
export function secretMethods(parts: PublicParts): ForwardMethods {
  return forwardMethods(SecretService, {
    createSecret: async (context, request) => {
      const secret = await context.mutate((tx) => createSecret(tx, context, request, parts));
      return { secret: shownSecret(secret) };
    },
    addVersion: async (context, request) => {
      const secret = await context.mutate((tx) => addVersion(tx, context, request, parts));
      return { secret: shownSecret(secret) };
    },
    rollbackSecret: async (context, request) => {
      const secret = await context.mutate((tx) => rollbackSecret(tx, context, request, parts));
      return { secret: shownSecret(secret) };
    },
    updateSecret: async (context, request) => {
      const secret = await context.mutate((tx) => updateSecret(tx, context, request, parts));
      return { secret: shownSecret(secret) };
    },
    deleteSecret: async (context, { secretId }) => {
      const secret = await context.mutate((tx) => deleteSecret(tx, context, secretId, parts));
      return { secret: shownSecret(secret) };
    },
    restoreSecret: async (context, { secretId }) => {
      const secret = await context.mutate((tx) => restoreSecret(tx, context, secretId, parts));
      await parts.liveness.settle({ vaultId: callerOf(context).vaultId, id: secretId });
      return { secret: shownSecret(secret) };
    },
    getSecret: async (context, { secretId, projectId, name, ...request }) => {
      const keyword = secretId === "" ? { projectId, name } : { secretId };
      const { vaultId } = callerOf(context);
      await requireRole(context, parts, secretId === "" ? { projectId } : { secretId }, "secret");
      return {
        secret: shownSecret(
          await requireSecret(parts.database, vaultId, keyword, scopeOf(request)),
        ),
      };
    },
    batchGetSecrets: async (context, { secretIds, ...request }) => {
      const { vaultId } = callerOf(context);
      const shown = await shownSecretIds(context, parts, secretIds);
      const secrets = await findSecrets(parts.database, vaultId, shown, scopeOf(request));
      return { secrets: secrets.map(shownSecret) };
    },
    listSecrets: async (context, { projectId, pageSize, pageToken, ...request }) => {
      const { vaultId } = callerOf(context);
      const scope = scopeOf(request);
      await requireRole(context, parts, { projectId }, "project_id");
      const named = { by: "project_id", value: projectId } as const;
      if (!(await findProject(parts.database, vaultId, named, scope)))
        throw fail(Reason.NOT_FOUND, { field: "project_id" });
      const found = { after: cursorOfToken(pageToken), limit: pageLimit(pageSize) + 1, scope };
      const page = pageOf(await listSecrets(parts.database, vaultId, projectId, found), pageSize);
      return {
        secrets: page.items.map(shownSecret),
        nextPageToken: page.last
          ? tokenOfCursor({ name: page.last.name, id: page.last.secretId })
          : "",
      };
    },
    listVersions: async (context, { secretId, pageSize, pageToken }) => {
      const { vaultId } = callerOf(context);
      await requireRole(context, parts, { secretId }, "secret");
      await requireSecret(parts.database, vaultId, { secretId }, "living");
      const found = { below: versionOfToken(pageToken), limit: pageLimit(pageSize) + 1 };
      const page = pageOf(await listVersions(parts.database, vaultId, secretId, found), pageSize);
      return {
        versions: page.items.map(shownVersion),
        nextPageToken: page.last ? String(page.last.version) : "",
      };
    },
  });
}

async function requireSecret(
  db: Tx,
  vaultId: string,
  keyword: SecretKeyword,
  scope: Scope,
): Promise<StoredSecret> {
  const secret = await findSecret(db, vaultId, keyword, scope);
  if (!secret) throw fail(Reason.NOT_FOUND, { field: "secret" });
  return secret;
}
