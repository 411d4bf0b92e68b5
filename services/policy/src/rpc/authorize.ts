import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { type MacKey, permitLifetimeMs, sealPermit } from "@sallyport/evidence";
import type { Tx } from "@sallyport/postgres";
import { Reason, type Refusal } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { Permit } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type AuthorizationService,
  type AuthorizeItem,
  type AuthorizeResultSchema,
  Purpose,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { Failure, fail, peerOf, toRefusal } from "@sallyport/rpc";
import type { Logger } from "@sallyport/telemetry";
import {
  type Decided,
  type Decision,
  type ReadDecision,
  decideList,
  decideRead,
} from "../decision/decide.ts";
import type { DenialLog } from "../decision/denials.ts";
import { POLICY_VERSION } from "../decision/evaluate.ts";
import { type Page, readGranted, readNamed } from "../store/facts.ts";

/** Dependencies of decisions; the clock is in milliseconds, the first key seals. */
export type AuthorizationParts = {
  readonly database: Tx;
  readonly denials: DenialLog;
  readonly permitKeys: () => readonly MacKey[];
  readonly clock: () => number;
  readonly logger: Logger;
};

type Result = MessageInitShape<typeof AuthorizeResultSchema>;

/**
 * Decides reads. A refusal is in the log before it is answered; what cannot be recorded is
 * unavailable.
 */
export function createAuthorization(
  parts: AuthorizationParts,
): ServiceImpl<typeof AuthorizationService> {
  return {
    async authorize({ items }, context) {
      // Security: a stolen secrets gets no permit, and puts no refused read on record.
      if (peerOf(context) === "secrets" && items.some(({ purpose }) => purpose !== Purpose.LIST))
        throw fail(Reason.PEER_NOT_ALLOWED);
      const pages = await readPages(parts.database, items);
      const nowMs = parts.clock();
      const results = items.map((item) => answer(item, pages.get(item), nowMs, parts));
      return { results: await Promise.all(results) };
    },
  };
}

// An item that names no target, or more than one, gets no page.
async function readPages(
  db: Tx,
  items: readonly AuthorizeItem[],
): Promise<Map<AuthorizeItem, Page>> {
  const named = items.filter(
    (item) => item.secretIds.length > 0 && item.projectId === "" && !item.allGranted,
  );
  const granted = items.filter(
    (item) => item.secretIds.length === 0 && (item.projectId !== "") !== item.allGranted,
  );
  const targets = granted.map((item) => ({ ...item, after: item.pageToken }));
  const [namedPages, grantedPages] = await Promise.all([
    readNamed(db, named),
    readGranted(db, targets),
  ]);
  const pages = new Map<AuthorizeItem, Page>();
  for (const [index, page] of namedPages.entries()) keep(pages, named[index], page);
  for (const [index, page] of grantedPages.entries()) keep(pages, granted[index], page);
  return pages;
}

function keep(pages: Map<AuthorizeItem, Page>, item: AuthorizeItem | undefined, page: Page): void {
  if (item) pages.set(item, page);
}

async function answer(
  item: AuthorizeItem,
  page: Page | undefined,
  nowMs: number,
  parts: AuthorizationParts,
): Promise<Result> {
  const decisionId = newId("dec");
  const { requestDigest } = item;
  if (!page) {
    const unclear = fail(Reason.FIELD_INVALID, {
      field: "secret_ids",
      description: "name exactly one target",
    });
    return { requestDigest, decisionId, refusal: toRefusal(unclear) };
  }
  const context = { request: item, nowMs };
  if (item.purpose === Purpose.LIST)
    return result(item, decisionId, decideList(page.facts, context), page);
  const decision = decideRead(page.facts, context, item.allOrNothing);
  const { originId = "" } = page.facts.principal ?? {};
  try {
    await parts.denials.record({ item, decisionId, decision, originId, nowMs });
  } catch (error) {
    return {
      requestDigest,
      decisionId,
      refusal: unrecorded(error, item, decisionId, parts.logger),
    };
  }
  const permit = permitFor(item, decisionId, decision, page, nowMs, parts.permitKeys());
  return { ...result(item, decisionId, decision, page), ...(permit ? { permit } : {}) };
}

// A machine that was refused too often gets RATE_LIMITED instead of the decision; any other error
// means that the log is unavailable.
function unrecorded(
  error: unknown,
  { requestId }: AuthorizeItem,
  decisionId: string,
  logger: Logger,
): Refusal {
  if (error instanceof Failure && error.reason === Reason.RATE_LIMITED) return toRefusal(error);
  logger.error(
    { err: error, decision_id: decisionId, request_id: requestId },
    "denial not recorded",
  );
  return toRefusal(fail(Reason.DEPENDENCY_UNAVAILABLE));
}

function result(item: AuthorizeItem, decisionId: string, decision: Decision, page: Page): Result {
  const answered = {
    requestDigest: item.requestDigest,
    decisionId,
    secrets: decision.secrets.map(decidedOf),
  };
  return decision.denial
    ? { ...answered, refusal: toRefusal(decision.denial) }
    : { ...answered, nextPageToken: page.nextPageToken };
}

// Security: the public hears the first denial alone; what else failed is in the record.
function decidedOf({ secretId, projectId, verdict }: Decided) {
  const decided = { secretId, projectId };
  return verdict.kind === "allow"
    ? decided
    : { ...decided, refusal: toRefusal(verdict.denials[0]) };
}

// The refused are listed too: crypto signs its reply over every secret that was asked for. Where
// nothing was found there is a permit for that: the empty reply is signed like any other, and a
// gateway cannot make one up.
function permitFor(
  item: AuthorizeItem,
  decisionId: string,
  { secrets, denial, sealedOnly }: ReadDecision,
  { nextPageToken }: Page,
  nowMs: number,
  keys: readonly MacKey[],
): Permit | undefined {
  if (denial) return undefined;
  return sealPermit(
    {
      machineId: item.machineId,
      vaultId: item.vaultId,
      requestDigest: item.requestDigest,
      secrets: secrets.map((secret) => ({
        ...decidedOf(secret),
        requestedVersion: item.requestedVersion,
        ...(secret.verdict.kind === "allow" ? { facts: secret.verdict.obligations.facts } : {}),
      })),
      // Security: policy has only the gateway's word that the request is sealed; crypto reads the
      // request itself.
      sealedOnly,
      decisionId,
      policyVersion: POLICY_VERSION,
      expiresAt: timestampFromMs(nowMs + permitLifetimeMs),
      projectId: item.projectId,
      allGranted: item.allGranted,
      pageToken: item.pageToken,
      nextPageToken,
    },
    keys,
  );
}
