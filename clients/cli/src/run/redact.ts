import { Transform } from "node:stream";
import { createMatcher } from "./matcher.ts";

const marker = Buffer.from("[redacted]");

/**
 * A stream that puts [redacted] in the place of every given form, however the output is cut into chunks. It holds back
 * only what may be the beginning of a form, so that a line waits for no other line.
 */
export function createRedactor(forms: readonly Uint8Array[]): Transform {
  const matcher = createMatcher(forms);
  let held = Buffer.alloc(0);
  // How many of the held bytes from the beginning are known to be part of a form, as ranges in order.
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
        if (length > 0) ranges = withRange(ranges, index + 1 - length, index + 1);
      }
      done(null, release(held.length - matcher.pending()));
    },
    flush(done) {
      done(null, release(held.length));
    },
  });
}

/** Adds a range that ends last; ranges that touch or overlap become one. */
function withRange(ranges: readonly [number, number][], from: number, to: number): [number, number][] {
  const kept = [...ranges];
  let start = Math.max(0, from);
  for (let last = kept.at(-1); last && last[1] >= start; last = kept.at(-1)) {
    start = Math.min(start, last[0]);
    kept.pop();
  }
  kept.push([start, to]);
  return kept;
}
