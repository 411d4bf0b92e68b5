import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { pageTokenInvalid } from "@sallyport/forward";
import {
  type ListRecordsRequest,
  ListRecordsRequestSchema,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";

const seqBytes = 8;
const queryBytes = 16;

/**
 * Names a query: whose records, which filters, which order. The size of the page is no part of it.
 */
export function queryOf(vaultId: string, request: ListRecordsRequest): Buffer {
  const asked = toBinary(
    ListRecordsRequestSchema,
    create(ListRecordsRequestSchema, { ...request, pageSize: 0, pageToken: "" }),
  );
  return createHash("sha256").update(`${vaultId}\n`).update(asked).digest().subarray(0, queryBytes);
}

/**
 * Returns the token of the page of a query after the record with that seq. It is opaque to callers
 * and grants nothing.
 */
export function pageTokenOf(seq: bigint, query: Uint8Array): string {
  const token = Buffer.alloc(seqBytes + queryBytes);
  token.writeBigUInt64BE(seq);
  token.set(query, seqBytes);
  return token.toString("base64url");
}

/**
 * Returns the seq after which the page begins. Throws Failure FIELD_INVALID for what is no token of
 * this query.
 */
export function parsePageToken(text: string, query: Uint8Array): bigint {
  const token = Buffer.from(text, "base64url");
  const seq = token.length === seqBytes + queryBytes ? token.readBigInt64BE() : 0n;
  if (seq < 1n || pageTokenOf(seq, query) !== text) throw pageTokenInvalid();
  return seq;
}
