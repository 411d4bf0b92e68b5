import { expect, test } from "vitest";
import type { Ground } from "./ground.ts";
import { type Signed, http1, openWire, signed, whoAmIPath } from "./wire.ts";

type Shape = {
  readonly name: string;
  /** The bytes to send; the second request is properly signed and must never be answered. */
  readonly bytes: (ground: Ground, first: Signed, second: Buffer) => Uint8Array;
};

const chunked = (content: Uint8Array): Buffer =>
  Buffer.concat([
    Buffer.from(`${content.length.toString(16)}\r\n`),
    content,
    Buffer.from("\r\n0\r\n\r\n"),
  ]);
const without = (lines: readonly string[], name: string): string[] =>
  lines.filter((line) => !line.startsWith(name));

/**
 * A request whose head has these lines more, with content that ends where one reader thinks, and
 * what another would read.
 */
function twoReaders(
  ground: Ground,
  first: Signed,
  lines: readonly string[],
  content: Uint8Array,
): Buffer {
  const head = http1(ground, { ...first, body: Buffer.alloc(0) }, (all) => [
    ...without(all, "content-length"),
    ...lines,
  ]);
  return Buffer.concat([head, content]);
}

const shapes: readonly Shape[] = [
  {
    name: "Content-Length and Transfer-Encoding",
    bytes: (ground, first, second) =>
      twoReaders(
        ground,
        first,
        [`content-length: ${first.body.length}`, "transfer-encoding: chunked"],
        Buffer.concat([chunked(first.body), second]),
      ),
  },
  {
    name: "Transfer-Encoding and Content-Length, the other way",
    bytes: (ground, first, second) =>
      twoReaders(
        ground,
        first,
        ["transfer-encoding: chunked", `content-length: ${first.body.length + second.length}`],
        Buffer.concat([first.body, second]),
      ),
  },
  ...[
    "transfer-encoding: xchunked",
    "transfer-encoding: chunked, identity",
    "transfer-encoding: identity, chunked, chunked",
    "transfer-encoding : chunked",
    "transfer-encoding:\tchunked\x0b",
    "transfer-encoding: chunked\x00",
    "transfer-encoding:\r\n chunked",
    "transfer-encoding: chunked\rx: 1",
    "x: 1\ntransfer-encoding: chunked",
  ].map((line) => ({
    name: `${JSON.stringify(line)} beside Content-Length`,
    bytes: (ground: Ground, first: Signed, second: Buffer) =>
      twoReaders(
        ground,
        first,
        [`content-length: ${first.body.length}`, line],
        Buffer.concat([first.body, second]),
      ),
  })),
  ...["gzip, chunked", "identity, chunked", "chunked, gzip"].map((coding) => ({
    name: `Transfer-Encoding ${coding}`,
    bytes: (ground: Ground, first: Signed, second: Buffer) =>
      twoReaders(
        ground,
        first,
        [`transfer-encoding: ${coding}`],
        Buffer.concat([chunked(first.body), second]),
      ),
  })),
  ...["1.0", "2.0"].map((version) => ({
    name: `a request line of HTTP/${version}`,
    bytes: (ground: Ground, first: Signed, second: Buffer) =>
      Buffer.concat([
        http1(ground, first, ([, ...lines]) => [`POST ${whoAmIPath} HTTP/${version}`, ...lines]),
        second,
      ]),
  })),
  ...["+2", "0x2", "2, 2", "2,3", "-1", "2_0", "99999999999999999999", "२", "2;x", "2 2"].map(
    (length) => ({
      name: `Content-Length ${JSON.stringify(length)}`,
      bytes: (ground: Ground, first: Signed, second: Buffer) =>
        twoReaders(
          ground,
          first,
          [`content-length: ${Buffer.from(length).toString("latin1")}`],
          Buffer.concat([first.body, second]),
        ),
    }),
  ),
  {
    name: "Content-Length twice, differently",
    bytes: (ground, first, second) =>
      twoReaders(
        ground,
        first,
        [
          `content-length: ${first.body.length}`,
          `content-length: ${first.body.length + second.length}`,
        ],
        Buffer.concat([first.body, second]),
      ),
  },
  {
    name: "a chunk size with a sign",
    bytes: (ground, first, second) =>
      twoReaders(
        ground,
        first,
        ["transfer-encoding: chunked"],
        Buffer.concat([Buffer.from("+2\r\n{}\r\n0\r\n\r\n"), second]),
      ),
  },
  {
    name: "a chunk size beyond 64 bits",
    bytes: (ground, first, second) =>
      twoReaders(
        ground,
        first,
        ["transfer-encoding: chunked"],
        Buffer.concat([Buffer.from("10000000000000002\r\n{}\r\n0\r\n\r\n"), second]),
      ),
  },
  {
    name: "chunks ended by a bare line feed",
    bytes: (ground, first, second) =>
      twoReaders(
        ground,
        first,
        ["transfer-encoding: chunked"],
        Buffer.concat([Buffer.from("2\n{}\n0\n\n"), second]),
      ),
  },
  {
    name: "a chunk with an extension full of line breaks",
    bytes: (ground, first, second) =>
      twoReaders(
        ground,
        first,
        ["transfer-encoding: chunked"],
        Buffer.concat([Buffer.from("2;a=\nb\r\n{}\r\n0\r\n\r\n"), second]),
      ),
  },
  {
    name: "lines ended by a bare line feed",
    bytes: (ground, first, second) =>
      Buffer.concat([
        Buffer.from(http1(ground, first).toString("latin1").replaceAll("\r\n", "\n"), "latin1"),
        second,
      ]),
  },
  {
    name: "a header folded over two lines",
    bytes: (ground, first, second) =>
      Buffer.concat([http1(ground, first, (lines) => [...lines, "x-folded: a\r\n b"]), second]),
  },
  {
    name: "a NUL in a header",
    bytes: (ground, first, second) =>
      Buffer.concat([http1(ground, first, (lines) => [...lines, "x-nul: a\0b"]), second]),
  },
  {
    name: "HTTP/0.9",
    bytes: (_, __, second) => Buffer.concat([Buffer.from(`POST ${whoAmIPath}\r\n\r\n`), second]),
  },
  {
    name: "a version that there is not",
    bytes: (ground, first, second) =>
      Buffer.concat([
        http1(ground, first, ([, ...lines]) => [`POST ${whoAmIPath} HTTP/1.2`, ...lines]),
        second,
      ]),
  },
  {
    name: "HTTP/2's preface",
    bytes: (_, __, second) =>
      Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), second]),
  },
  {
    name: "an upgrade to HTTP/2 in clear",
    bytes: (ground, first, second) =>
      Buffer.concat([
        http1(ground, { ...first, headers: {} }, (lines) => [
          ...lines,
          "connection: upgrade, http2-settings",
          "upgrade: h2c",
          "http2-settings: AAMAAABkAAQCAAAAAAIAAAAA",
        ]),
        second,
      ]),
  },
  {
    name: "no Host",
    bytes: (ground, first, second) =>
      Buffer.concat([http1(ground, first, (lines) => without(lines, "host")), second]),
  },
];

/**
 * Requests that two readers would cut in two ways. The one behind them is good by itself: it must
 * not be answered, for then somebody in between could have been made to take it for another's.
 */
export function smugglingTests(ground: () => Ground): void {
  test("two requests by the book on one connection are both answered", async () => {
    const wire = await openWire(ground(), "http/1.1");
    wire.socket.write(
      Buffer.concat([http1(ground(), signed(ground())), http1(ground(), signed(ground()))]),
    );
    await expect.poll(() => answers(wire.received()), { timeout: 5000 }).toEqual(["200", "200"]);
    wire.socket.destroy();
  });

  test.each(shapes)("$name: nothing behind it is answered", async ({ bytes }) => {
    const wire = await openWire(ground(), "http/1.1");
    const second = http1(ground(), signed(ground()));
    wire.socket.write(bytes(ground(), signed(ground()), second));
    await wire.ended(1500).catch(() => undefined);
    const statuses = answers(wire.received());
    wire.socket.destroy();
    expect(statuses.length).toBeLessThanOrEqual(1);
    expect(statuses.filter((status) => !["400", "401", "501", "505"].includes(status))).toEqual([]);
  });
}

/** The statuses of the answers in what came. */
function answers(received: string): string[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status = ""]) => status);
}
