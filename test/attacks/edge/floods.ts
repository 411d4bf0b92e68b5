import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { flag, frame, frameType, headerBlock, preface } from "./frames.ts";
import type { Ground } from "./ground.ts";
import { type Wire, openWire, whoAmIPath } from "./wire.ts";

const endMs = 8_000;
const mostWaiting = 1024 * 1024;
const stuckMs = 2_000;

function headersOf({ authority }: Ground): Buffer {
  return headerBlock({
    ":method": "POST",
    ":scheme": "https",
    ":authority": authority,
    ":path": whoAmIPath,
    "content-type": "application/json",
  });
}

/** Writes chunks until the gateway ends the connection; tells how many it took. */
async function pour(wire: Wire, next: (index: number) => Buffer, most: number): Promise<number> {
  let index = 0;
  for (; index < most && wire.socket.writable; index += 1) {
    const drained = wire.socket.write(next(index));
    if (!drained || index % 50 === 0) await sleep(1);
    // Who does not read learns of the end by what cannot be written any more.
    for (
      let waited = 0;
      wire.socket.writableLength > mostWaiting && wire.socket.writable;
      waited += 1
    ) {
      if (waited > stuckMs) return index;
      await sleep(1);
    }
  }
  return index;
}

const many = (one: Buffer): Buffer => Buffer.concat(Array.from({ length: 500 }, () => one));

const floods: readonly {
  readonly name: string;
  readonly most: number;
  /** The attacker does not read what it is sent. */
  readonly deaf?: true;
  readonly next: (ground: Ground) => (index: number) => Buffer;
}[] = [
  {
    name: "rapid reset: streams that are opened and taken back at once",
    most: 20_000,
    next: (ground) => {
      const block = headersOf(ground);
      const reset = Buffer.from([0, 0, 0, 8]);
      return (index) => {
        const stream = index * 2 + 1;
        return Buffer.concat([
          frame(frameType.headers, flag.endHeaders, stream, block),
          frame(frameType.rstStream, 0, stream, reset),
        ]);
      };
    },
  },
  {
    name: "a CONTINUATION flood: headers that never end",
    most: 20_000,
    next: (ground) => {
      const block = headersOf(ground);
      const more = headerBlock({ "x-more": "x".repeat(1000) });
      return (index) =>
        index === 0
          ? frame(frameType.headers, 0, 1, block)
          : frame(frameType.continuation, 0, 1, more);
    },
  },
  {
    name: "an empty CONTINUATION flood",
    most: 20_000,
    next: (ground) => (index) =>
      index === 0
        ? frame(frameType.headers, 0, 1, headersOf(ground))
        : frame(frameType.continuation, 0, 1, Buffer.alloc(0)),
  },
  {
    name: "a SETTINGS flood whose answers nobody reads",
    most: 8_000,
    deaf: true,
    next: () => () => many(frame(frameType.settings, 0, 0, Buffer.alloc(0))),
  },
  {
    name: "a PING flood whose answers nobody reads",
    most: 8_000,
    deaf: true,
    next: () => () => many(frame(frameType.ping, 0, 0, Buffer.alloc(8))),
  },
  {
    name: "frames for streams that are not there",
    most: 20_000,
    next: () => (index) => frame(frameType.data, 0, index * 2 + 1, Buffer.alloc(1)),
  },
  {
    name: "more streams at once than there may be",
    most: 20_000,
    next: (ground) => {
      const block = headersOf(ground);
      return (index) => frame(frameType.headers, flag.endHeaders, index * 2 + 1, block);
    },
  },
];

/** HTTP/2 floods: the connection is ended, and others do not notice. */
export function floodTests(ground: () => Ground): void {
  for (const { name, most, deaf, next } of floods)
    test(`${name} ends the connection`, async () => {
      await ground().besieged(async () => {
        const wire = await openWire(ground(), "h2");
        wire.socket.write(preface());
        if (deaf) wire.socket.pause();
        const sent = await pour(wire, next(ground()), most);
        if (deaf) wire.socket.resume();
        await wire.ended(endMs);
        console.log(`  ended after ${sent} writes`);
        expect(sent).toBeGreaterThan(0);
      });
    });
}
