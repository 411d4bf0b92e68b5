import { create } from "@bufbuild/protobuf";
import {
  type GetRecordRequest,
  type GetRecordResponse,
  GetRecordResponseSchema,
  type ListRecordsRequest,
  type ListRecordsResponse,
  ListRecordsResponseSchema,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { Database } from "@sallyport/postgres";
import { fail } from "@sallyport/rpc";
import { pageTokenOf, parsePageToken } from "../page-token.ts";
import { findRecord, listRecords } from "../store/records.ts";

/** Who asks: what a verified request says about its signer. */
export type Reader = { readonly principal?: { readonly vaultId: string } | undefined };

const defaultPageSize = 50;

/** Makes the methods of AuditService. All see the records of the signer's vault and no others. */
export function auditMethods(database: Pick<Database, "query">) {
  return {
    /** Pages from new to old by seq, so that records which arrive meanwhile move nothing. */
    async listRecords(reader: Reader, request: ListRecordsRequest): Promise<ListRecordsResponse> {
      const limit = request.pageSize === 0 ? defaultPageSize : request.pageSize;
      const found = await listRecords(database, {
        vaultId: vaultOf(reader),
        belowSeq: request.pageToken === "" ? undefined : parsePageToken(request.pageToken),
        limit: limit + 1,
        filters: request,
      });
      const records = found.slice(0, limit);
      const last = found.length > limit ? records.at(-1) : undefined;
      return create(ListRecordsResponseSchema, {
        records,
        nextPageToken: last === undefined ? "" : pageTokenOf(last.seq),
      });
    },

    /** Returns one record; one of another vault is not found. */
    async getRecord(reader: Reader, { eventId }: GetRecordRequest): Promise<GetRecordResponse> {
      const record = await findRecord(database, vaultOf(reader), eventId);
      if (record === undefined) throw fail(Reason.NOT_FOUND);
      return create(GetRecordResponseSchema, { record });
    },
  };
}

function vaultOf({ principal }: Reader): string {
  // Records that concern no vault have an empty one: nobody may read them here.
  if (principal === undefined || principal.vaultId === "") throw fail(Reason.ROLE_REQUIRED);
  return principal.vaultId;
}
