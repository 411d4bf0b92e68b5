import { isIP } from "node:net";
import { corpusOf, fuzz, fuzzRun } from "@sallyport/test/infra";
import { expect, test } from "vitest";
import { writeProxyHeader } from "../testing/proxy-header.ts";
import { ProxyHeaderError, mostHeaderBytes, parseProxyHeader } from "./proxy-header.ts";

/**
 * A header is read within its bound, once it is whole, and names what one that is written again
 * names.
 */
function accepts(input: Buffer): boolean {
  try {
    const header = parseProxyHeader(input);
    if (!header) {
      if (input.length >= mostHeaderBytes) throw new Error("it is awaited beyond its bound");
      return false;
    }
    const { length, source } = header;
    if (length > Math.min(input.length, mostHeaderBytes))
      throw new Error("it is longer than it can be");
    if (parseProxyHeader(input.subarray(0, length - 1)))
      throw new Error("it is read before it is whole");
    if (source === undefined) return true;
    if (isIP(source) === 0) throw new Error(`${source} is no address`);
    if (parseProxyHeader(writeProxyHeader(source))?.source !== source)
      throw new Error(`${source} is another address when it is written again`);
    return true;
  } catch (error) {
    if (error instanceof ProxyHeaderError) return false;
    throw error;
  }
}

test("PROXY headers are read as they are written, or refused in a typed way", async () => {
  const run = fuzzRun();
  const written = ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"].map((source) =>
    writeProxyHeader(source),
  );
  const seeds = [...written, ...corpusOf("proxy-header")];
  const words = [
    "\r\n\r\n\0\r\nQUIT\n",
    "\x21\x11",
    "\x21\x21",
    "\x20\x00",
    "\x00\x0c",
    "\x00\x24",
  ];
  const { cases, read, grownBytes } = await fuzz(
    { name: "proxy-header", seeds, words, accepts },
    run,
  );
  console.log(`  proxy-header, seed ${run.seed}: ${cases} cases, ${read} read`);
  expect(read).toBeGreaterThan(0);
  expect(grownBytes).toBeLessThan(16 * 1024 * 1024);
}, 3_600_000);
