/** How a body is encoded: Connect JSON, Connect binary or one gRPC frame. */
export type ContentType = "json" | "proto" | "grpc";

const encodings: Readonly<Record<string, ContentType>> = {
  "application/json": "json",
  "application/proto": "proto",
  "application/grpc": "grpc",
  "application/grpc+proto": "grpc",
};

/** The content types that may be signed, without parameters (SIGNING §5). */
export const acceptedContentTypes: readonly string[] = Object.keys(encodings);

/**
 * The most bytes of content of any request. A gateway bounds each method by itself; the largest
 * takes a value of 64 KiB, sealed, in base64 (85.4 KiB), with a note of 1,000 bytes, escaped (5.9
 * KiB).
 */
export const maxContentBytes = 96 * 1024;

/** How a content type encodes its body; undefined for one that is not accepted (SIGNING §5). */
export function contentTypeOf(header: string): ContentType | undefined {
  return Object.hasOwn(encodings, header) ? encodings[header] : undefined;
}
