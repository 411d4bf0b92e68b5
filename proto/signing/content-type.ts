/** The encoding of a body: Connect JSON, Connect binary or one gRPC frame. */
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
 * Largest content of any request, in bytes. A gateway has its own limit for each method; the
 * largest content has a value of 64 KiB, sealed, in base64 (85.4 KiB), with a note of 1,000 bytes,
 * escaped (5.9 KiB).
 */
export const maxContentBytes = 96 * 1024;

/**
 * Returns the encoding of a body by its content type; undefined for one that is not accepted
 * (SIGNING §5).
 */
export function contentTypeOf(header: string): ContentType | undefined {
  return Object.hasOwn(encodings, header) ? encodings[header] : undefined;
}
