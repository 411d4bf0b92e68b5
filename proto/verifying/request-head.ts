import type { SignedHead } from "./signed-request.ts";
import {
  acceptedContentTypes,
  contentTypeOf,
  normaliseAuthority,
  unframeMessage,
} from "../signing/index.ts";

/**
 * The request's head as received: `rawHeaders` is the flat list of names and values with duplicates
 * kept.
 */
export type RequestHead = {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
};

const encodings = ["grpc-encoding", "connect-content-encoding"];
const forbidden = ["content-encoding", "trailer"];
const maxHeaders = 64;

type Headers = ReadonlyMap<string, readonly string[]>;

/** Error: a field of a head is wrong; names the field and what is needed there. */
export class HeadError extends Error {
  override readonly name = "HeadError";
  readonly field: string;

  constructor(field: string, description: string) {
    super(description);
    this.field = field;
  }
}

/** Error: a head has not exactly one signature, and so does not authenticate anybody. */
export class UnsignedError extends Error {
  override readonly name = "UnsignedError";
}

function refuse(field: string, description: string): never {
  throw new HeadError(field, description);
}

/**
 * Reads a head with exactly one signature and every covered header exactly once (SIGNING §2), of a
 * content type of the closed list without an encoding (§5.2); nothing is joined, trimmed away or
 * preferred. Throws UnsignedError without exactly one signature, HeadError for anything else.
 */
export function readSignedHead(head: RequestHead): SignedHead {
  if (head.method !== "POST") refuse("method", "only POST is answered");
  if (!/^\/[A-Za-z0-9._]+\/[A-Za-z0-9]+$/.test(head.url))
    refuse("path", "origin-form without a query is needed");
  const headers = countedHeaders(head.rawHeaders);
  const signatureInput = onlyValue(headers, "signature-input") ?? unsigned("signature-input");
  const signature = onlyValue(headers, "signature") ?? unsigned("signature");
  const covered = (name: string): string =>
    onlyValue(headers, name) ?? refuse(name, "exactly one such header is needed");
  const signed = {
    method: "POST",
    authority: authorityOf(headers),
    path: head.url,
    contentType: covered("content-type"),
    contentDigest: covered("content-digest"),
    signatureInput,
    signature,
  };
  checkContentType(signed.contentType, headers);
  return signed;
}

function unsigned(name: string): never {
  throw new UnsignedError(`exactly one ${name} header is needed`);
}

function onlyValue(headers: Headers, name: string): string | undefined {
  const values = headers.get(name) ?? [];
  return values.length === 1 ? values[0] : undefined;
}

function countedHeaders(rawHeaders: readonly string[]): Headers {
  if (rawHeaders.length > maxHeaders * 2)
    refuse("headers", `at most ${maxHeaders} headers are read`);
  const headers = new Map<string, string[]>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? "").toLowerCase();
    const value = rawHeaders[index + 1] ?? "";
    const values = headers.get(name);
    if (values) values.push(value);
    else headers.set(name, [value]);
  }
  return headers;
}

// HTTP/2 has :authority, HTTP/1.1 has Host; a request with both must not be ambiguous, and neither
// may occur twice.
function authorityOf(headers: Headers): string {
  const given = [headers.get(":authority") ?? [], headers.get("host") ?? []];
  if (given.some((values) => values.length > 1))
    refuse("authority", "exactly one authority is needed");
  const names = given.flat();
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

function checkContentType(contentType: string, headers: Headers): void {
  if (!contentTypeOf(contentType))
    refuse("content-type", `one of ${acceptedContentTypes.join(", ")} is needed`);
  for (const name of forbidden) if (headers.has(name)) refuse(name, "it is not accepted");
  for (const name of encodings) {
    if ((headers.get(name) ?? []).some((value) => value !== "identity"))
      refuse(name, "only identity is accepted");
  }
}

/** Checks that gRPC content is exactly one uncompressed frame (SIGNING §5.3). Throws HeadError. */
export function checkFrame(contentType: string, body: Uint8Array): void {
  if (contentTypeOf(contentType) !== "grpc") return;
  try {
    unframeMessage(body);
  } catch {
    refuse("body", "exactly one uncompressed gRPC frame is needed");
  }
}
