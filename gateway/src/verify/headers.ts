import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { normaliseAuthority } from "@sallyport/proto/signing";
import { fail } from "@sallyport/rpc";

/** The request's head as it came off the wire: `rawHeaders` is the flat name, value list with duplicates kept. */
export type RequestHead = {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
};

/** The components that a signature covers, and the two headers that carry it. */
export type SignedHead = {
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly contentType: string;
  readonly contentDigest: string;
  readonly signatureInput: string;
  readonly signature: string;
};

const required = ["content-type", "content-digest", "signature-input", "signature"] as const;
const forbidden = ["content-encoding", "trailer"];
const encodings = ["grpc-encoding", "connect-content-encoding"];
const maxHeaders = 64;

/** The content types that may be signed; unary only (SIGNING §5). */
export const acceptedContentTypes: ReadonlySet<string> = new Set([
  "application/json",
  "application/proto",
  "application/grpc",
  "application/grpc+proto",
]);

function refuse(field: string, description: string): never {
  throw fail(Reason.FIELD_INVALID, { field, description });
}

/** Exactly one signature, and every header it covers exactly once. Nothing is joined, trimmed away or preferred. */
export function readSignedHead(head: RequestHead): SignedHead {
  if (head.method !== "POST") refuse("method", "only POST is answered");
  if (!/^\/[A-Za-z0-9._]+\/[A-Za-z0-9]+$/.test(head.url))
    refuse("path", "origin-form without a query is needed");
  const headers = countedHeaders(head.rawHeaders);
  const single = (name: string): string => {
    const values = headers.get(name) ?? [];
    const [value] = values;
    if (value === undefined || values.length !== 1)
      return refuse(name, `exactly one ${name} header is needed`);
    return value;
  };
  const [contentType, contentDigest, signatureInput, signature] = required.map(single);
  if (!contentType || !contentDigest || !signatureInput || !signature)
    return refuse("signature", "it is not complete");
  const path = head.url;
  return {
    method: "POST",
    authority: authorityOf(headers),
    path,
    contentType,
    contentDigest,
    signatureInput,
    signature,
  };
}

function countedHeaders(rawHeaders: readonly string[]): Map<string, string[]> {
  if (rawHeaders.length > maxHeaders * 2) refuse("headers", `at most ${maxHeaders} headers are read`);
  const headers = new Map<string, string[]>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? "").toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), rawHeaders[index + 1] ?? ""]);
  }
  return headers;
}

// HTTP/2 has :authority, HTTP/1.1 has Host; a request with both must not be ambiguous.
function authorityOf(headers: Map<string, string[]>): string {
  const names = [...(headers.get(":authority") ?? []), ...(headers.get("host") ?? [])];
  const [first, ...others] = names.map(normalisedOrEmpty);
  if (!first || others.some((name) => name !== first))
    return refuse("authority", "exactly one authority is needed");
  return first;
}

function normalisedOrEmpty(authority: string): string {
  try {
    return normaliseAuthority(authority);
  } catch {
    return "";
  }
}

/** Refuses content types outside the closed list and every encoding but identity. */
export function checkContentType(contentType: string, rawHeaders: readonly string[]): void {
  if (!acceptedContentTypes.has(contentType)) {
    refuse("content-type", `one of ${[...acceptedContentTypes].join(", ")} is needed`);
  }
  const headers = countedHeaders(rawHeaders);
  for (const name of forbidden) if (headers.has(name)) refuse(name, "it is not accepted");
  for (const name of encodings) {
    if ((headers.get(name) ?? []).some((value) => value !== "identity"))
      refuse(name, "only identity is accepted");
  }
}
