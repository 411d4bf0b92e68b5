import type { ForwardContext, ForwardHandlers } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import { isUniqueViolation } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type {
  CreateTokenRequest,
  EnrollmentService,
} from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { fail } from "@sallyport/rpc";
import { describeToken } from "./views.ts";
import { GlobError, parseGlob } from "./glob.ts";
import { lifetimeMs } from "../lifetime.ts";
import { parseNamePattern } from "../machines/name.ts";
import { holdSigner } from "../users/acting-owner.ts";
import { type PolicyScope, validateScope } from "../policy.ts";
import { actorOf, originOf, signerOf } from "../audit-fields.ts";
import { type NewToken, insertToken } from "./store.ts";
import { isRange } from "./cidr.ts";
import { checkPrintable } from "../printable.ts";

/** The dependencies of making tokens. */
export type CreateTokenParts = {
  readonly outbox: Pick<Outbox, "record">;
  readonly policy: Pick<PolicyScope, "validateScope">;
  readonly clock: () => number;
};

/**
 * Makes CreateToken. A token may contain only what its maker could grant now, as policy sees it.
 */
export function createTokenHandler(
  parts: CreateTokenParts,
): ForwardHandlers<typeof EnrollmentService>["createToken"] {
  return async (context, request) => {
    checkPrintable("description", request.description);
    checkRanges(request.sourceCidrs);
    checkPattern("hostname_pattern", () => parseGlob(request.hostnamePattern));
    checkPattern("machine_name_pattern", () => parseNamePattern(request.machineNamePattern));
    const { vaultId, id: userId, role } = signerOf(context);
    const { projectIds, secretIds } = request;
    const scope = { vaultId, userId, role, projectIds, secretIds };
    context.judge(await validateScope(parts.policy, scope));
    const nowMs = parts.clock();
    const token = newTokenOf(context, request, nowMs);
    const stored = await context
      .mutate(async (tx) => {
        await holdSigner(tx, context);
        const inserted = await insertToken(tx, token);
        await parts.outbox.record(tx, created(token, context, nowMs));
        return inserted;
      })
      .catch((error: unknown) => {
        if (!isUniqueViolation(error, "enrollment_tokens_key")) throw error;
        throw fail(Reason.ALREADY_EXISTS, { field: "token_key_sha256" }, error);
      });
    return { token: describeToken(stored) };
  };
}

function newTokenOf(context: ForwardContext, request: CreateTokenRequest, nowMs: number): NewToken {
  const { id: createdBy, keyId: createdByKey, vaultId } = signerOf(context);
  return {
    tokenId: newId("tok"),
    vaultId,
    keySha256: request.tokenKeySha256,
    description: request.description,
    projectIds: request.projectIds,
    secretIds: request.secretIds,
    createdBy,
    createdByKey,
    createdAt: new Date(nowMs),
    expiresAt: new Date(nowMs + lifetimeMs("token_lifetime", request.tokenLifetime)),
    machineLifetimeMs: lifetimeMs("machine_lifetime", request.machineLifetime),
    maxUses: request.maxUses,
    sourceCidrs: request.sourceCidrs,
    hostnamePattern: request.hostnamePattern,
    machineNamePattern: request.machineNamePattern,
    anyVersion: request.anyVersion,
  };
}

function checkRanges(ranges: readonly string[]): void {
  const index = ranges.findIndex((range) => !isRange(range));
  if (index < 0) return;
  const description =
    "must be an address range such as 10.1.0.0/16 or 2001:db8::/32, with all host bits zero";
  throw fail(Reason.FIELD_INVALID, { field: `source_cidrs[${index}]`, description });
}

function checkPattern(field: string, parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof GlobError)) throw error;
    throw fail(Reason.FIELD_INVALID, { field, description: error.message }, error);
  }
}

function created(token: NewToken, context: ForwardContext, nowMs: number) {
  return newEvent("identity", "token.created", {
    ...actorOf(context),
    ...originOf(context, nowMs),
    vaultId: token.vaultId,
    subjectId: token.tokenId,
    detail: {
      description: token.description,
      projects: `${token.projectIds.length}`,
      secrets: `${token.secretIds.length}`,
      max_uses: `${token.maxUses}`,
      expires_at: token.expiresAt.toISOString(),
      machine_lifetime_seconds: `${token.machineLifetimeMs / 1000}`,
      source_cidrs: token.sourceCidrs.join(" "),
      hostname_pattern: token.hostnamePattern,
      machine_name_pattern: token.machineNamePattern,
      any_version: String(token.anyVersion),
    },
  });
}
