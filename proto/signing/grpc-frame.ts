import { FormatError } from "./format-error.ts";

const headBytes = 5;

/**
 * Puts a message into one uncompressed gRPC frame: a zero byte, its length in four bytes
 * big-endian, the message.
 */
export function frameMessage(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const framed = new Uint8Array(headBytes + message.length);
  new DataView(framed.buffer).setUint32(1, message.length);
  framed.set(message, headBytes);
  return framed;
}

/**
 * Extracts the message from exactly one uncompressed gRPC frame (SIGNING §5). Throws FormatError
 * for a compressed frame, a short one, a second one, or bytes after it.
 */
export function unframeMessage(body: Uint8Array): Uint8Array {
  if (body.length < headBytes) throw new FormatError("the gRPC frame is incomplete");
  if (body[0] !== 0) throw new FormatError("the gRPC frame is flagged");
  const length = new DataView(body.buffer, body.byteOffset, body.byteLength).getUint32(1);
  if (length !== body.length - headBytes)
    throw new FormatError("the body is not exactly one gRPC frame");
  return body.subarray(headBytes);
}
