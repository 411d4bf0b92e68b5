import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { flag, frame, frameType, headerBlock, preface } from "./frames.ts";
import type { Ground } from "./ground.ts";
import { type Wire, attackerAddress, http1, openWire, readPath, signed } from "./wire.ts";

const endMs = 60_000;
const handshake = "a TLS handshake that never goes on";

/** Sends a little every second for as long as the connection lives. */
async function drip(wire: Wire, next: (index: number) => Uint8Array): Promise<void> {
  for (let index = 0; wire.socket.writable; index += 1) {
    wire.socket.write(next(index));
    await sleep(1000);
  }
}

function headersOf(
  ground: Ground,
  headers: Readonly<Record<string, string>>,
  path: string,
): Buffer {
  const { authority } = ground;
  return headerBlock({
    ":method": "POST",
    ":scheme": "https",
    ":authority": authority,
    ":path": path,
    ...headers,
  });
}

/** The head of a frame that resets stream 1. */
const reset = Buffer.from([0, 0, 4, frameType.rstStream, 0, 0, 0, 0, 1]).toString("latin1");
const ping = frame(frameType.ping, 0, 0, Buffer.alloc(8));

const attacks: readonly {
  readonly name: string;
  /** What is ended is the stream; the connection has its time for another request. */
  readonly stream?: true;
  readonly run: (ground: Ground) => Promise<Wire>;
}[] = [
  {
    name: "HTTP/1.1 headers, a line each second",
    run: async (ground) => {
      const wire = await openWire(ground, "http/1.1");
      wire.socket.write(`POST ${readPath} HTTP/1.1\r\nhost: ${ground.authority}\r\n`);
      void drip(wire, (index) => Buffer.from(`x-${index}: 1\r\n`));
      return wire;
    },
  },
  {
    name: "an HTTP/1.1 connection that never asks",
    run: (ground) => openWire(ground, "http/1.1"),
  },
  {
    name: "HTTP/1.1 content, a byte each second",
    run: async (ground) => {
      const wire = await openWire(ground, "http/1.1");
      const request = { ...signed(ground), body: Buffer.alloc(0) };
      wire.socket.write(
        http1(ground, request, (lines) => [...lines.slice(0, -1), "content-length: 1000"]),
      );
      void drip(wire, () => Buffer.from(" "));
      return wire;
    },
  },
  {
    name: "HTTP/2 headers, a byte each second",
    run: async (ground) => {
      const wire = await openWire(ground, "h2");
      wire.socket.write(preface());
      const headers = headersOf(ground, { "x-more": "x".repeat(1000) }, readPath);
      const sent = frame(frameType.headers, flag.endHeaders, 1, headers);
      void drip(wire, (index) => sent.subarray(index, index + 1));
      return wire;
    },
  },
  {
    name: "an HTTP/2 connection that never asks, with a PING each second",
    run: async (ground) => {
      const wire = await openWire(ground, "h2");
      wire.socket.write(preface());
      void drip(wire, () => ping);
      return wire;
    },
  },
  {
    name: "HTTP/2 content, a byte each second",
    stream: true,
    run: async (ground) => {
      const wire = await openWire(ground, "h2");
      const { headers, path } = signed(ground, { path: readPath });
      const begun = frame(frameType.headers, flag.endHeaders, 1, headersOf(ground, headers, path));
      wire.socket.write(Buffer.concat([preface(), begun]));
      void drip(wire, () => frame(frameType.data, 0, 1, Buffer.from(" ")));
      return wire;
    },
  },
  {
    name: "a zero-window reader of HTTP/2, with a PING each second",
    stream: true,
    run: async (ground) => {
      const wire = await openWire(ground, "h2");
      const body = Buffer.from('{"allGranted":true}');
      const { headers, path } = signed(ground, { path: readPath, body });
      wire.socket.write(
        Buffer.concat([
          preface(0),
          frame(frameType.headers, flag.endHeaders, 1, headersOf(ground, headers, path)),
          frame(frameType.data, flag.endStream, 1, body),
        ]),
      );
      void drip(wire, () => ping);
      return wire;
    },
  },
];

/** Begins every slow attack at once. */
export async function beginSlow(ground: Ground): Promise<readonly Slow[]> {
  const wires = await Promise.all(
    attacks.map(async ({ name, run, stream }) => ({ name, stream, wire: await run(ground) })),
  );
  const begunMs = Date.now();
  const told = (name: string, end: Promise<unknown>): Slow => ({
    name,
    ended: end.then(
      () => `ended after ${((Date.now() - begunMs) / 1000).toFixed(0)} s`,
      (error: unknown) => `not ended: ${String(error)}`,
    ),
  });
  const socket = connect({
    host: "127.0.0.1",
    port: ground.ports[0],
    localAddress: attackerAddress,
  });
  socket.on("error", () => undefined);
  const shaken = new Promise((resolve) => socket.once("close", resolve).resume());
  return [
    told(handshake, shaken),
    ...wires.map(({ name, stream, wire }) =>
      told(name, stream ? wire.until(reset, endMs) : wire.ended(endMs)),
    ),
  ];
}

/** A slow attack under way; tells in words how it went. */
export type Slow = { readonly name: string; readonly ended: Promise<string> };

/** What came of them: every one was ended. */
export function slowTests(slow: () => readonly Slow[]): void {
  test.each([handshake, ...attacks.map(({ name }) => name)])("%s: it is ended", async (name) => {
    const told = await slow().find((attack) => attack.name === name)?.ended;
    console.log(`  ${name}: ${told}`);
    expect(told).toMatch(/^ended/);
  });
}
