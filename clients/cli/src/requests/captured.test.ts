import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { UsageError } from "../app/failure.ts";
import { readCaptured } from "./captured.ts";
import { readPublicKey } from "./key.ts";

const of = (text: string) => readCaptured(Buffer.from(text, "latin1"));
const line = "POST /a.B/C HTTP/1.1";

describe("a captured request", () => {
  test("is read from the bytes of HTTP/1.1, names and content as they are", () => {
    const request = of(`${line}\r\nHost: h\r\nX-A:  b \r\n\r\n{"a":\r\n1}\n`);
    expect({ ...request, body: Buffer.from(request.body).toString() }).toEqual({
      method: "POST",
      url: "/a.B/C",
      rawHeaders: ["Host", "h", "X-A", "b"],
      body: '{"a":\r\n1}\n',
    });
    expect(of(`${line}\nHost: h\n\nx`).rawHeaders).toEqual(["Host", "h"]);
  });

  test("that came in chunks is put together", () => {
    const chunked = `${line}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{"\r\n3\r\na":\r\n0\r\n\r\n`;
    expect(Buffer.from(of(chunked).body).toString()).toBe('{"a":');
  });

  test("is read from JSON, headers as an object or as pairs, content as text or base64", () => {
    const pairs = of('{"path":"/a.B/C","headers":[["h","1"],["h","2"]],"bodyBase64":"AAE="}');
    expect(pairs).toMatchObject({
      method: "POST",
      url: "/a.B/C",
      rawHeaders: ["h", "1", "h", "2"],
    });
    expect([...pairs.body]).toEqual([0, 1]);
    const object = of('{"method":"GET","path":"/a.B/C","headers":{"h":"1"},"body":"{}"}');
    expect(object).toMatchObject({ method: "GET", rawHeaders: ["h", "1"] });
  });

  test.each([
    ["nothing", ""],
    ["no empty line", `${line}\r\nHost: hunter2`],
    ["no request line", "hunter2\r\n\r\n"],
    ["HTTP/2 as a line", "POST /hunter2 HTTP/2\r\n\r\n"],
    ["a line that is no header", `${line}\r\nhunter2\r\n\r\n`],
    ["chunks cut short", `${line}\r\ntransfer-encoding: chunked\r\n\r\nhunter2`],
    ["JSON that is none", '{"hunter2":'],
    ["no path", '{"headers":{}}'],
    ["headers that are none", '{"path":"/a.B/C","headers":{"h":["hunter2"]}}'],
    ["a body that is none", '{"path":"/a.B/C","headers":{},"body":1}'],
  ])("of %s is refused, and not quoted", (_, text) => {
    expect(() => of(text)).toThrow(UsageError);
    expect(() => of(text)).not.toThrow(/hunter2/);
  });
});

describe("a public key", () => {
  const key = Buffer.from(readFileSync(import.meta.filename).subarray(0, 32));
  test.each(["hex", "base64", "base64url"] as const)("is read from %s", (encoding) => {
    expect(Buffer.from(readPublicKey(key.toString(encoding)))).toEqual(key);
  });
  test.each(["", "AAAA", "00", import.meta.filename])("is not read from %s", (typed) => {
    expect(() => readPublicKey(typed)).toThrow(UsageError);
  });
});
