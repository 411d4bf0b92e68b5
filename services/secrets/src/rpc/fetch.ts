import { createHash } from "node:crypto";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { type MacKey, sealSlip, slipLifetimeMs } from "@sallyport/evidence";
import type { Tx } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type {
  FetchItem,
  FetchService,
} from "@sallyport/proto/gen/sallyport/secrets/internal/v1/fetch_pb.ts";
import { fail } from "@sallyport/rpc";
import { type FoundEnvelope, findEnvelopes } from "../store/envelopes.ts";

/** The dependencies of the fetch; the clock is in milliseconds, the first key seals. */
export type FetchParts = {
  readonly database: Tx;
  readonly slipKeys: () => readonly MacKey[];
  readonly clock: () => number;
};

// The largest answer of a read (proto/README.md, "Limits"); more would be sealed and opened for
// nothing.
const limitBytes = 3 * 1024 * 1024;

/**
 * Hands out envelopes, each with a slip that binds it to the request (SIGNING §10). Other vaults'
 * secrets are left out.
 */
export function createFetch(parts: FetchParts): ServiceImpl<typeof FetchService> {
  return {
    async fetch({ items }) {
      const found = await findEnvelopes(parts.database, items);
      const bytes = found.flat().reduce((sum, { envelope }) => sum + envelope.length, 0);
      if (bytes > limitBytes) throw fail(Reason.TOO_LARGE, { limit_bytes: String(limitBytes) });
      const expiresAtMs = parts.clock() + slipLifetimeMs;
      const keys = parts.slipKeys();
      return {
        results: items.map((item, index) => answer(item, found[index] ?? [], expiresAtMs, keys)),
      };
    },
  };
}

function answer(
  item: FetchItem,
  found: readonly FoundEnvelope[],
  expiresAtMs: number,
  keys: readonly MacKey[],
) {
  const { requestDigest } = item;
  const secrets = found.map((secret) => ({
    secretId: secret.secretId,
    envelope: secret.envelope,
    projectKey: secret.wrappedProjectKey,
    slip: slipFor(item, secret, expiresAtMs, keys),
  }));
  return { requestDigest, secrets };
}

function slipFor(
  item: FetchItem,
  secret: FoundEnvelope,
  expiresAtMs: number,
  keys: readonly MacKey[],
) {
  return sealSlip(
    {
      vaultId: item.vaultId,
      projectId: secret.projectId,
      secretId: secret.secretId,
      name: secret.name,
      version: secret.version,
      requestedVersion: item.requestedVersion,
      envelopeSha256: createHash("sha256").update(secret.envelope).digest(),
      requestDigest: item.requestDigest,
      expiresAt: timestampFromMs(expiresAtMs),
    },
    keys,
  );
}
