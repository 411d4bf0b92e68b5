import type { RequestHead } from "@sallyport/proto/verifying";
import { UsageError } from "../app/failure.ts";

/**
 * A request as it was captured: its head as it stood on the wire, and its content byte for byte.
 */
export type CapturedRequest = RequestHead & { readonly body: Uint8Array };

const forms =
  "save it as the bytes of HTTP/1.1 (a request line, headers, an empty line, the content), or as " +
  "JSON of method, path, headers and body";

/**
 * Reads a captured request: the bytes of HTTP/1.1, or JSON of `method` (POST unless given), `path`,
 * `headers` (an object, or pairs where one comes twice; `:authority` for HTTP/2) and `body` as text
 * or `bodyBase64`. UsageError for anything else; it quotes nothing.
 */
export function readCaptured(bytes: Uint8Array): CapturedRequest {
  const first = Buffer.from(bytes).toString("latin1").trimStart()[0];
  return first === "{" ? fromJson(bytes) : fromHttp(bytes);
}

function fromHttp(bytes: Uint8Array): CapturedRequest {
  const text = Buffer.from(bytes).toString("latin1");
  const end = /\r?\n\r?\n/.exec(text);
  if (!end) throw new UsageError("the request has no empty line behind its headers", forms);
  const [line = "", ...fields] = text.slice(0, end.index).split(/\r?\n/);
  const [, method, url] = /^([A-Z]+) (\S+) HTTP\/1\.1$/.exec(line) ?? [];
  if (method === undefined || url === undefined)
    throw new UsageError("the first line is no request line of HTTP/1.1", forms);
  const rawHeaders = fields.flatMap(fieldOf);
  const content = bytes.slice(end.index + end[0].length);
  return { method, url, rawHeaders, body: withoutChunks(content, rawHeaders) };
}

function fieldOf(line: string): [string, string] {
  const [, name, value] = /^([^\s:]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
  if (name === undefined || value === undefined)
    throw new UsageError("a line among the headers is none", forms);
  return [name, value];
}

function withoutChunks(content: Uint8Array, rawHeaders: readonly string[]): Uint8Array {
  const coded = rawHeaders.some(
    (text, at) => at % 2 === 0 && text.toLowerCase() === "transfer-encoding",
  );
  if (!coded) return content;
  const chunks: Uint8Array[] = [];
  let rest = Buffer.from(content);
  for (;;) {
    const [head, size] = /^([0-9a-fA-F]{1,8})\r\n/.exec(rest.toString("latin1")) ?? [];
    if (head === undefined || size === undefined)
      throw new UsageError(
        "the content is not in whole chunks",
        "save it without its transfer coding",
      );
    const length = Number.parseInt(size, 16);
    if (length === 0) return Buffer.concat(chunks);
    chunks.push(rest.subarray(head.length, head.length + length));
    rest = rest.subarray(head.length + length + 2);
  }
}

function fromJson(bytes: Uint8Array): CapturedRequest {
  const given = objectOf(bytes);
  const { method = "POST", path, headers, body = "", bodyBase64 } = given;
  if (typeof method !== "string" || typeof path !== "string")
    throw new UsageError("the JSON has no path, or one that is no text", forms);
  if (typeof body !== "string" || (bodyBase64 !== undefined && typeof bodyBase64 !== "string"))
    throw new UsageError("body and bodyBase64 are texts", forms);
  const content = bodyBase64 === undefined ? Buffer.from(body) : Buffer.from(bodyBase64, "base64");
  return { method, url: path, rawHeaders: pairsOf(headers).flat(), body: content };
}

function objectOf(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString());
    if (typeof value === "object" && value !== null) return { ...value };
  } catch {
    // Not passed on: the parser's message quotes the request.
  }
  throw new UsageError("the request begins as JSON and is none", forms);
}

function pairsOf(headers: unknown): readonly (readonly [string, string])[] {
  const entries: unknown = Array.isArray(headers) ? headers : Object.entries(headers ?? {});
  if (Array.isArray(entries) && entries.every(isPair)) return entries;
  throw new UsageError("headers is no object of texts, and no list of pairs", forms);
}

function isPair(entry: unknown): entry is readonly [string, string] {
  return (
    Array.isArray(entry) && entry.length === 2 && entry.every((text) => typeof text === "string")
  );
}
