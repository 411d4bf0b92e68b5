import { constants } from "node:http2";

/** HTTP/2 frame types (RFC 9113 §6). */
export const frameType = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  ping: 6,
  windowUpdate: 8,
  continuation: 9,
} as const;
/** The flags of frames that the attacks use. */
export const flag = { endStream: 1, ack: 1, endHeaders: 4 } as const;

/** One frame as it is sent. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/**
 * What an HTTP/2 client begins with; `window` is how much a stream may be sent before it asks for
 * more.
 */
export function preface(window = 65_535): Buffer {
  const setting = Buffer.alloc(6);
  setting.writeUInt16BE(constants.NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
  setting.writeUInt32BE(window, 2);
  return Buffer.concat([
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    frame(frameType.settings, 0, 0, setting),
  ]);
}

/** Headers in HPACK, each literal and never indexed (RFC 7541 §6.2.3), without Huffman. */
export function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  const parts = Object.entries(headers).flatMap(([name, value]) => [
    Buffer.from([0x10]),
    text(name),
    text(value),
  ]);
  return Buffer.concat(parts);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const prefix = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>= 7) prefix.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...prefix, rest]), bytes]);
}
