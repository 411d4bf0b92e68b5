import { pageLimit, pageOf } from "@sallyport/forward";
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import {
  type GetRecordRequest,
  type GetRecordResponse,
  GetRecordResponseSchema,
  type ListRecordsRequest,
  type ListRecordsResponse,
  ListRecordsResponseSchema,
  RecordOrder,
  RecordScope,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { Database } from "@sallyport/postgres";
import { fail } from "@sallyport/rpc";
import { pageTokenOf, parsePageToken, queryOf } from "../reading/page-token.ts";
import { networkOf } from "../reading/source.ts";
import { type Times, endlessSeq, findAddresses, findBounds } from "../store/bounds.ts";
import { listRecords } from "../store/listing.ts";
import { findRecord } from "../store/records.ts";

/** The caller, as the verified request names it. */
export type Reader = { readonly principal?: { readonly vaultId: string } | undefined };

/**
 * Dependencies of the methods: a database that plans each query for its values, and the vault that
 * sees the records of no vault.
 */
export type AuditParts = {
  readonly database: Pick<Database, "query">;
  readonly operatorVault: string | undefined;
};

const noVault = "";

/**
 * Makes the methods of AuditService. All see the records of the signer's vault; the operator's also
 * those of no vault.
 */
export function auditMethods({ database, operatorVault }: AuditParts) {
  return {
    /** Pages by seq, so that records which arrive meanwhile move nothing. */
    async listRecords(reader: Reader, request: ListRecordsRequest): Promise<ListRecordsResponse> {
      const vaultId = listedVault(vaultOf(reader), request.scope, operatorVault);
      const query = queryOf(vaultId, request);
      const oldestFirst = request.order === RecordOrder.OLDEST_FIRST;
      const from = request.pageToken === "" ? undefined : parsePageToken(request.pageToken, query);
      // Later records are left to the next listing: a reader that continues after newestSeq gets no
      // record twice, and misses none of a network, whose addresses are looked up in between.
      const bounds = await findBounds(database, vaultId, timesOf(request));
      const network = request.sourceCidr === "" ? undefined : networkOf(request.sourceCidr);
      const limit = pageLimit(request.pageSize);
      const found = await listRecords(database, {
        vaultId,
        aboveSeq: highest(bounds.aboveSeq, request.afterSeq, oldestFirst ? (from ?? 0n) : 0n),
        belowSeq: lowest(
          bounds.belowSeq,
          bounds.newestSeq + 1n,
          oldestFirst ? endlessSeq : (from ?? endlessSeq),
        ),
        oldestFirst,
        limit: limit + 1,
        filters: {
          ...request,
          actions: [...new Set(request.actions)],
          reasons: [...new Set(request.reasons)],
          network,
          addresses:
            network === undefined ? undefined : await findAddresses(database, vaultId, network),
        },
      });
      const { items: records, last } = pageOf(found, request.pageSize);
      return create(ListRecordsResponseSchema, {
        records,
        nextPageToken: last === undefined ? "" : pageTokenOf(last.seq, query),
        newestSeq: highest(bounds.newestSeq, request.afterSeq),
      });
    },

    /** Returns one record; one of another vault is not found. */
    async getRecord(reader: Reader, { eventId }: GetRecordRequest): Promise<GetRecordResponse> {
      const vaultId = vaultOf(reader);
      const vaultIds = vaultId === operatorVault ? [vaultId, noVault] : [vaultId];
      const record = await findRecord(database, vaultIds, eventId);
      if (record === undefined) throw fail(Reason.NOT_FOUND);
      return create(GetRecordResponseSchema, { record });
    },
  };
}

function vaultOf({ principal }: Reader): string {
  if (principal === undefined || principal.vaultId === noVault) throw fail(Reason.ROLE_REQUIRED);
  return principal.vaultId;
}

// Security: the only way to records without a vault. Without an operator's vault it is nobody's.
function listedVault(own: string, scope: RecordScope, operatorVault: string | undefined): string {
  if (scope !== RecordScope.DEPLOYMENT) return own;
  if (own !== operatorVault) throw fail(Reason.ROLE_REQUIRED);
  return noVault;
}

function timesOf({ afterTime, beforeTime }: ListRecordsRequest): Times {
  const [after, before] = [afterTime && dateOf(afterTime), beforeTime && dateOf(beforeTime)];
  if (after && before && after >= before)
    throw fail(Reason.FIELD_INVALID, {
      field: "before_time",
      description: "does not lie after after_time",
    });
  return { after, before };
}

// The log keeps whole milliseconds: one is at or after a time, or before it, exactly when it is so
// of the next whole one.
function dateOf({ seconds, nanos }: Timestamp): Date {
  return new Date(Number(seconds) * 1000 + Math.ceil(nanos / 1_000_000));
}

function highest(...seqs: readonly bigint[]): bigint {
  return seqs.reduce((one, other) => (one > other ? one : other));
}

function lowest(...seqs: readonly bigint[]): bigint {
  return seqs.reduce((one, other) => (one < other ? one : other));
}
