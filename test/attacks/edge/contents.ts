import { openSallyport } from "@sallyport/client";
import { newId } from "@sallyport/proto/ids";
import { frameMessage } from "@sallyport/proto/signing";
import { expect, test } from "vitest";
import type { Ground } from "./ground.ts";
import { openSession, readPath, send, signed } from "./wire.ts";

const id = newId("sec");
const other = newId("sec");
const deep = (open: string, close: string): string => open.repeat(8_000) + close.repeat(8_000);
/** The most that a read's content may hold. */
const bound = 16 * 1024;

/** JSON that two readers could take for two things; every one is signed. */
const jsons: readonly (readonly [name: string, body: string | Uint8Array])[] = [
  ["a key twice", `{"secretIds":["${id}"],"secretIds":["${other}"]}`],
  ["a key twice, once escaped", `{"secretIds":["${id}"],"secret\\u0049ds":["${other}"]}`],
  ["a field under both of its names", `{"secretIds":["${id}"],"secret_ids":["${other}"]}`],
  ["__proto__", `{"allGranted":true,"__proto__":{"version":1}}`],
  ["__proto__ alone", `{"__proto__":{"allGranted":true}}`],
  ["constructor", `{"allGranted":true,"constructor":{"prototype":{"allGranted":true}}}`],
  ["toString", `{"allGranted":true,"toString":1}`],
  ["__proto__ in a message", `{"allGranted":true,"recipient":{"__proto__":{"suite":1}}}`],
  ["an unknown field", `{"allGranted":true,"all":true}`],
  ["a field in another case", `{"AllGranted":true}`],
  ["two values", `{"allGranted":true}{"allGranted":true}`],
  ["a value and garbage", `{"allGranted":true}\u0000`],
  ["an array", `[{"allGranted":true}]`],
  ["null", "null"],
  ["a text", `"allGranted"`],
  ["nothing", ""],
  ["only a space", " "],
  ["a comment", `{"allGranted":true/**/}`],
  ["a comma too many", `{"allGranted":true,}`],
  ["single quotes", `{'allGranted':true}`],
  ["NaN", `{"secretIds":["${id}"],"version":NaN}`],
  ["a text for a boolean", `{"allGranted":"true"}`],
  ["a number for a boolean", `{"allGranted":1}`],
  ["a version below zero", `{"secretIds":["${id}"],"version":-1}`],
  ["a version beyond 32 bits", `{"secretIds":["${id}"],"version":4294967296}`],
  ["a version with a fraction", `{"secretIds":["${id}"],"version":1.5}`],
  ["a version of 400 digits", `{"secretIds":["${id}"],"version":${"9".repeat(400)}}`],
  ["a lone surrogate", `{"projectId":"\\ud800"}`],
  ["a NUL in an id", `{"projectId":"${newId("prj")}\\u0000"}`],
  ["an id in full width", `{"projectId":"\uff50\uff52\uff4a_${id.slice(4)}"}`],
  ["an id with a line feed behind it", `{"projectId":"${newId("prj")}\\n"}`],
  ["an id in capitals", `{"secretIds":["${id.toUpperCase()}"]}`],
  ["a byte order mark", `\ufeff{"allGranted":true}`],
  ["UTF-16", Buffer.from(`{"allGranted":true}`, "utf16le")],
  [
    "bytes that are no UTF-8",
    Buffer.concat([Buffer.from(`{"projectId":"`), Buffer.from([0xff, 0xfe]), Buffer.from(`"}`)]),
  ],
  [
    "an overlong slash",
    Buffer.concat([Buffer.from(`{"projectId":"`), Buffer.from([0xc0, 0xaf]), Buffer.from(`"}`)]),
  ],
  ["8,000 arrays in one another", deep("[", "]")],
  ["1,000 objects in one another", `${'{"recipient":'.repeat(1000)}1${"}".repeat(1000)}`],
  ["8,000 arrays where a text belongs", `{"projectId":${deep("[", "]")}}`],
  ["more than one way of naming", `{"secretIds":["${id}"],"allGranted":true}`],
  ["an id twice", `{"secretIds":["${id}","${id}"]}`],
  ["101 ids", JSON.stringify({ secretIds: Array.from({ length: 101 }, () => newId("sec")) })],
  ["500 ids", JSON.stringify({ secretIds: Array.from({ length: 500 }, () => newId("sec")) })],
  ["500 times one id", JSON.stringify({ secretIds: Array.from({ length: 500 }, () => id) })],
  ["a text of 16,000 characters", `{"projectId":"${"p".repeat(16_000)}"}`],
  ["30,000 ids", JSON.stringify({ secretIds: Array.from({ length: 30_000 }, () => newId("sec")) })],
  ["30,000 times one id", JSON.stringify({ secretIds: Array.from({ length: 30_000 }, () => id) })],
  ["a text of 1,000,000 characters", `{"projectId":"${"p".repeat(1_000_000)}"}`],
];

const allGranted = Buffer.from([0x18, 1]);
const framed = (flag: number, length: number, ...parts: Uint8Array[]): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt8(flag, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, ...parts]);
};

/** gRPC content that is not one frame, and frames that hold no such message. */
const frames: readonly (readonly [name: string, body: Uint8Array])[] = [
  ["no frame", Buffer.alloc(0)],
  ["half a head", Buffer.alloc(3)],
  ["a compressed frame", framed(1, 2, allGranted)],
  ["a trailer's flag", framed(0x80, 2, allGranted)],
  ["an unknown flag", framed(2, 2, allGranted)],
  ["a longer length", framed(0, 3, allGranted)],
  ["a shorter length", framed(0, 1, allGranted)],
  ["a length of 4 GiB", framed(0, 0xffffffff, allGranted)],
  ["a length of 2 GiB", framed(0, 0x80000000, allGranted)],
  ["two frames", Buffer.concat([frameMessage(allGranted), frameMessage(allGranted)])],
  [
    "a frame and an empty one",
    Buffer.concat([frameMessage(allGranted), frameMessage(new Uint8Array())]),
  ],
  ["a byte behind the frame", Buffer.concat([frameMessage(allGranted), Buffer.alloc(1)])],
  ["an unknown field", frameMessage(Buffer.from([0x18, 1, 0xf8, 0x07, 1]))],
  ["a field cut short", frameMessage(Buffer.from([0x0a, 0x7f, 1]))],
  ["a number that never ends", frameMessage(Buffer.alloc(12, 0xff))],
  ["a group that never ends", frameMessage(Buffer.alloc(1000, 0x0b))],
  ["a field of another type", frameMessage(Buffer.from([0x1a, 1, 1]))],
  ["field number 0", frameMessage(Buffer.from([0x00, 1]))],
];

/** X25519 keys of small order, in the wrong encoding and of the wrong length, in hex. */
const badRecipients: readonly (readonly [name: string, key: string])[] = [
  ["0", "00".repeat(32)],
  ["1", `01${"00".repeat(31)}`],
  ["of order 8", "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"],
  ["p", `ed${"ff".repeat(30)}7f`],
  ["not canonical", `09${"00".repeat(30)}80`],
  ["of 31 bytes", "09".repeat(31)],
];

/** Contents that are properly signed and mean nothing, or two things. */
export function contentTests(ground: () => Ground): void {
  async function ask(contentType: string, body: Uint8Array) {
    const request = signed(ground(), { path: readPath, contentType, body });
    const session = openSession(ground());
    const answer = await send(session, request.path, request.headers, body);
    session.close();
    return answer;
  }

  test("the same read by the book is answered", async () => {
    expect((await ask("application/json", Buffer.from('{"allGranted":true}'))).status).toBe(200);
    expect((await ask("application/grpc", frameMessage(allGranted))).text).not.toBe("");
  });

  test.each(jsons)("JSON with %s is refused", async (_, body) => {
    const { status, text } = await ask("application/json", Buffer.from(body));
    const reason = Buffer.byteLength(body) > bound ? "TOO_LARGE" : "FIELD_INVALID";
    expect([status, text]).toEqual([400, expect.stringContaining(`"reason":"${reason}"`)]);
  });

  // Else it would be INTERNAL, an error in the log, and counted as a lie of the gateway's.
  test.each(badRecipients)("a recipient key that is %s is the client's mistake", async (_, key) => {
    const recipient = { suite: 1, publicKey: Buffer.from(key, "hex").toString("base64") };
    const body = Buffer.from(JSON.stringify({ allGranted: true, recipient }));
    const { status, text } = await ask("application/json", body);
    expect([status, text]).toEqual([
      400,
      expect.stringContaining(`"field":"recipient.public_key"`),
    ]);
  });

  test.each(frames)("gRPC content with %s is refused", async (_, body) => {
    const { grpcStatus } = await ask("application/grpc", body);
    // 3 is invalid_argument.
    expect(grpcStatus).toBe("3");
  });

  test("nothing of it became a read", async () => {
    const owner = openSallyport(ground().job.owner);
    const filter = { actions: ["secret.read", "secret.read.denied"], pageSize: 200 };
    const { records } = await owner.services.audit.listRecords(filter);
    owner.close();
    expect(records.filter(({ secretId }) => secretId === id || secretId === other)).toEqual([]);
  });
}
