import { Transform } from "node:stream";
import { createMatcher } from "./matcher.ts";

const marker = Buffer.from("[redacted]");

/**
 * A stream that puts [redacted] instead of every given form, however the output is cut into
 * chunks. It holds back only what may be the beginning of a form, so that a line waits for no other
 * line.
 */
export function createRedactor(forms: readonly Uint8Array[]): Transform {
  const matcher = createMatcher(forms);
  let held = Buffer.alloc(0);
  // The ranges of the held bytes that are known to be part of a form, in order.
  let ranges: [from: number, to: number][] = [];
  let insideRange = false;

  const release = (until: number): Buffer => {
    const parts: Uint8Array[] = [];
    let at = 0;
    for (const [from, to] of ranges) {
      if (from >= until) break;
      if (from > at) {
        parts.push(held.subarray(at, from));
        insideRange = false;
      }
      if (!insideRange) parts.push(marker);
      insideRange = true;
      at = Math.min(to, until);
    }
    if (at < until) {
      parts.push(held.subarray(at, until));
      insideRange = false;
    }
    const out = Buffer.concat(parts);
    held = held.subarray(until);
    ranges = ranges.flatMap(([from, to]) =>
      to > until ? [[Math.max(0, from - until), to - until] satisfies [number, number]] : [],
    );
    return out;
  };

  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const before = held.length;
      held = Buffer.concat([held, chunk]);
      for (let index = before; index < held.length; index += 1) {
        const length = matcher.next(held[index] ?? 0);
        if (length > 0) addRange(ranges, index + 1 - length, index + 1);
      }
      done(null, release(held.length - matcher.pending()));
    },
    flush(done) {
      done(null, release(held.length));
    },
  });
}

/**
 * Adds a range that ends last, in place: a chunk full of hits costs no copy for each; ranges that
 * touch become one.
 */
function addRange(ranges: [number, number][], from: number, to: number): void {
  let begin = Math.max(0, from);
  for (let last = ranges.at(-1); last !== undefined && last[1] >= begin; last = ranges.at(-1)) {
    begin = Math.min(begin, last[0]);
    ranges.pop();
  }
  ranges.push([begin, to]);
}
