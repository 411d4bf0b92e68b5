import { Readable } from "node:stream";
import { text as readText } from "node:stream/consumers";
import { array, assert, asyncProperty, constantFrom, nat, string, tuple } from "fast-check";
import { describe, expect, test } from "vitest";
import { formsOf } from "./forms.ts";
import { createRedactor } from "./redact.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);

/** What comes out of a redactor for chunks. */
async function redacted(
  chunks: readonly (string | Uint8Array)[],
  forms: readonly Uint8Array[],
): Promise<string> {
  const buffers = chunks.map((chunk) => Buffer.from(chunk));
  return readText(Readable.from(buffers, { objectMode: false }).pipe(createRedactor(forms)));
}

const filter = (output: string, ...values: string[]) => redacted([output], values.flatMap(formsOf));

describe("a value in output", () => {
  const value = "s3cr3t/p+ss word?";

  test.each([
    ["as it is", value],
    ["in base64", Buffer.from(value).toString("base64").replace(/=+$/, "")],
    ["in base64url", Buffer.from(value).toString("base64url")],
    ["escaped for a URL", encodeURIComponent(value)],
    ["escaped for a form", encodeURIComponent(value).replaceAll("%20", "+")],
    ["escaped in small letters", encodeURIComponent(value).toLowerCase()],
    ["escaped by encodeURI", encodeURI(value)],
    ["in JSON that escapes slashes", value.replaceAll("/", String.raw`\/`)],
  ])("is filtered %s", async (_, form) => {
    const out = await filter(`before ${form} after\n`, value);
    expect(out).not.toContain(form);
    expect(out).toMatch(/^before .{0,3}\[redacted\].{0,3} after\n$/);
  });

  test("is filtered within a longer text in base64, at each of the three positions", async () => {
    for (const before of ["", "u:", "usr:", "user:"]) {
      for (const after of ["", "\n", " more"]) {
        const encoded = Buffer.from(`${before}${value}${after}`).toString("base64");
        const out = await filter(`Authorization: Basic ${encoded}\n`, value);
        const left = out.replace("Authorization: Basic ", "").replace("[redacted]", "").trim();
        expect(Buffer.from(left, "base64").toString("latin1"), encoded).not.toContain(
          value.slice(2, 8),
        );
        expect(left.length).toBeLessThanOrEqual(
          encoded.length - Math.floor((value.length * 8) / 6) + 2,
        );
      }
    }
  });

  test("is filtered in base64 that was wrapped into lines", async () => {
    const long = "0123456789abcdef".repeat(12);
    for (const width of [76, 64]) {
      const wrapped =
        Buffer.from(long)
          .toString("base64")
          .match(new RegExp(`.{1,${width}}`, "g")) ?? [];
      const out = await filter(wrapped.join("\n"), long);
      expect(out.replaceAll("[redacted]", "").replaceAll("\n", "").length).toBeLessThanOrEqual(2);
    }
  });

  test("is filtered in JSON with its quotes, line breaks and other letters escaped", async () => {
    const odd = 'päss "w0rd"\\';
    const ascii = JSON.stringify(odd).replaceAll("ä", String.raw`\u00e4`);
    expect(await filter(`${JSON.stringify(odd)} ${ascii}`, odd)).toBe('"[redacted]" "[redacted]"');
    const lines = "first line\nsecond line";
    expect(await filter(JSON.stringify({ key: lines }), lines)).toBe('{"key":"[redacted]"}');
  });

  test("of several lines is filtered line by line, whatever stands between them", async () => {
    const key = "-----BEGIN KEY-----\nMIIEvQIBADAN\nab\n-----END KEY-----\n";
    expect(await filter("| -----BEGIN KEY-----\r\n| MIIEvQIBADAN\r\n| ab\n", key)).toBe(
      "| [redacted]\r\n| [redacted]\r\n| ab\n",
    );
  });

  test("of fewer than four characters is left, also as a line", async () => {
    expect(await filter("abc a=abc\n", "abc", "é", "")).toBe("abc a=abc\n");
    expect(await filter("abcd", "abcd")).toBe("[redacted]");
    expect(await filter("日本語で", "日本語で")).toBe("[redacted]");
  });

  test("that holds or overlaps another leaves nothing of either", async () => {
    expect(await filter("xabcdefgx", "abcd", "abcdefg")).toBe("x[redacted]x");
    expect(await filter("xabcdefgx", "abcdef", "defg")).toBe("x[redacted]x");
    expect(await filter("xabcdefgx", "abcdefgh", "cdef")).toBe("xab[redacted]gx");
    expect(await filter("aaaaaaa", "aaaa")).toBe("[redacted]");
    expect(await filter("abcdabcd-abcd", "abcd")).toBe("[redacted]-[redacted]");
  });
});

describe("however output is cut into chunks", () => {
  const filteredAlike = asyncProperty(
    array(constantFrom("secret", "sec", "ret-value", "s", "-", "\n", "secretsecret", "é", "cr"), {
      maxLength: 30,
    }),
    array(nat({ max: 12 }), { minLength: 1, maxLength: 20 }),
    async (parts, cuts) => {
      const output = Buffer.from(parts.join(""));
      const chunks: Uint8Array[] = [];
      for (let at = 0, index = 0; at < output.length; index += 1) {
        const size = (cuts[index % cuts.length] ?? 0) + 1;
        chunks.push(output.subarray(at, at + size));
        at += size;
      }
      const forms = ["secret", "ret-value", "crs"].map(bytes);
      return (await redacted(chunks, forms)) === (await redacted([output], forms));
    },
  );

  test("it is filtered alike", async () => {
    await expect(assert(filteredAlike, { numRuns: 300 })).resolves.toBeUndefined();
  });

  const nothingLeft = asyncProperty(
    tuple(
      string({ unit: "binary", minLength: 4, maxLength: 12 }),
      array(string({ maxLength: 6 }), { maxLength: 6 }),
    ),
    async ([value, around]) => {
      const out = await redacted([around.join(value)], [bytes(value)]);
      return !out.replaceAll("[redacted]", "\0").includes(value);
    },
  );

  test("nothing of any value is left", async () => {
    await expect(assert(nothingLeft, { numRuns: 300 })).resolves.toBeUndefined();
  });

  test("a line is handed on at once, and only what may be the beginning of a value waits", async () => {
    const redactor = createRedactor(formsOf("secret-value"));
    const seen: string[] = [];
    redactor.on("data", (chunk: Buffer) => seen.push(chunk.toString()));
    const write = (text: string): Promise<void> =>
      new Promise((resolve) => redactor.write(text, () => resolve()));
    await write("a line\n");
    expect(seen.join("")).toBe("a line\n");
    await write("prompt: se");
    expect(seen.join("")).toBe("a line\nprompt: ");
    await write("e\n");
    expect(seen.join("")).toBe("a line\nprompt: see\n");
    await write("secret-val");
    await write("ue");
    redactor.end();
    await new Promise((resolve) => redactor.once("end", resolve));
    expect(seen.join("")).toBe("a line\nprompt: see\n[redacted]");
  });

  test("a large value waits for no more than a piece of it", async () => {
    const value = "0123456789".repeat(3000);
    const redactor = createRedactor([...formsOf(value), ...formsOf("other")]);
    let length = 0;
    redactor.on("data", (chunk: Buffer) => (length += chunk.length));
    await new Promise<void>((resolve) =>
      redactor.write(`${"x".repeat(1000)}${value.slice(0, 200)}`, () => resolve()),
    );
    expect(length).toBeGreaterThan(1000);
  });
});
