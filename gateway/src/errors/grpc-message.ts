const header = "grpc-message";

/**
 * Escapes a gRPC error message as the protocol says, the percent sign and what is not printable
 * ASCII alone. Connect escapes colons and commas too, and grpc-js then shows them escaped.
 */
export function tidyGrpcMessage(trailers: Headers | undefined): void {
  const message = trailers?.get(header);
  if (message) trailers?.set(header, escapeGrpcMessage(decodeURIComponent(message)));
}

/** Escapes text for the field grpc-message. */
export function escapeGrpcMessage(message: string): string {
  return message.replaceAll(/[^\x20-\x24\x26-\x7e]+/gu, encodeURIComponent);
}
