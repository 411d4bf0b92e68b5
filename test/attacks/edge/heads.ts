import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { reasonIn } from "../../infra/index.ts";
import { frame, frameType, flag, headerBlock, preface } from "./frames.ts";
import type { Ground } from "./ground.ts";
import { type Signed, http1, openSession, openWire, send, signed, whoAmIPath } from "./wire.ts";

type Change = (ground: Ground, request: Signed) => Readonly<Record<string, string | string[]>>;

/**
 * Heads over HTTP/2 that say a thing twice, or too much. At 0 HTTP/2 itself ends the stream; 3 is
 * gRPC's invalid argument.
 */
const heads: readonly { readonly name: string; readonly change: Change; readonly told: string }[] =
  [
    ...["signature", "signature-input"].map((name) => ({
      name: `${name} twice`,
      change: (_: Ground, { headers }: Signed) => ({
        [name]: [headers[name] ?? "", headers[name] ?? ""],
      }),
      told: "401 REQUEST_REJECTED",
    })),
    {
      name: "another Host beside the authority",
      change: ({ authority }) => ({ ":authority": authority, host: "elsewhere.example" }),
      told: "400 FIELD_INVALID",
    },
    {
      name: "the authority of somebody else",
      change: () => ({ ":authority": "elsewhere.example" }),
      told: "401 REQUEST_REJECTED",
    },
    {
      name: "an authority with a user",
      change: ({ authority }) => ({ ":authority": `x@${authority}` }),
      told: "0 ",
    },
    { name: "an empty authority", change: () => ({ ":authority": "" }), told: "0 " },
    {
      name: "a content encoding",
      change: () => ({ "content-encoding": "identity" }),
      told: "400 FIELD_INVALID",
    },
    {
      name: "a gRPC encoding",
      change: () => ({ "grpc-encoding": "gzip" }),
      told: "400 FIELD_INVALID",
    },
    {
      name: "a Connect encoding",
      change: () => ({ "connect-content-encoding": "gzip" }),
      told: "400 FIELD_INVALID",
    },
    { name: "announced trailers", change: () => ({ trailer: "x" }), told: "400 FIELD_INVALID" },
    {
      name: "a character set",
      change: () => ({ "content-type": "application/json; charset=utf-8" }),
      told: "400 FIELD_INVALID",
    },
    {
      name: "a content type in capitals",
      change: () => ({ "content-type": "Application/JSON" }),
      told: "400 FIELD_INVALID",
    },
    {
      name: "a stream's content type",
      change: () => ({ "content-type": "application/connect+json" }),
      told: "400 FIELD_INVALID",
    },
    {
      name: "grpc-web",
      change: () => ({ "content-type": "application/grpc-web+proto" }),
      told: "200 3",
    },
    {
      name: "a content type from a prototype",
      change: () => ({ "content-type": "__proto__" }),
      told: "400 FIELD_INVALID",
    },
    {
      name: "70 headers more",
      change: () =>
        Object.fromEntries(Array.from({ length: 70 }, (_, index) => [`x-${index}`, "1"])),
      told: "400 FIELD_INVALID",
    },
    {
      name: "SHA-512 beside SHA-256",
      change: (_, { headers }) => ({
        "content-digest": `${headers["content-digest"]}, sha-512=:AAAA:`,
      }),
      told: "401 REQUEST_REJECTED",
    },
    {
      name: "the digest of something else",
      change: () => ({ "content-digest": `sha-256=:${"A".repeat(43)}=:` }),
      told: "401 REQUEST_REJECTED",
    },
  ];

const paths = [
  `${whoAmIPath}?`,
  `${whoAmIPath}?x=1`,
  `${whoAmIPath}#x`,
  `/x/..${whoAmIPath}`,
  `/.${whoAmIPath}`,
  `/${whoAmIPath}`,
  `${whoAmIPath}/`,
  `${whoAmIPath}/.`,
  `${whoAmIPath}%00`,
  whoAmIPath.replace("WhoAmI", "%57hoAmI"),
  whoAmIPath.replace("/WhoAmI", "%2fWhoAmI"),
  whoAmIPath.replace("/WhoAmI", "\\WhoAmI"),
  whoAmIPath.replace("WhoAmI", "whoami"),
  whoAmIPath.replace("UserService", "UserService;x=1"),
  whoAmIPath.replace("WhoAmI", "WhoAm\u0130"),
  whoAmIPath.replace("WhoAmI", "Who\u200bAmI"),
  "*",
  "/sallyport.identity.internal.v1.KeyService/ResolveKeys",
  "/sallyport.evidence.internal.v1.ForwardService/Forward",
  "/sallyport.crypto.internal.v1.OpenService/Open",
  "/grpc.health.v1.Health/Check",
  "/metrics",
  "/__proto__/constructor",
  "/toString",
];

/** Heads that are ambiguous, too large, or lead elsewhere. */
export function headTests(ground: () => Ground): void {
  test.each(heads)("$name: $told", async ({ change, told }) => {
    const request = signed(ground());
    const session = openSession(ground());
    const headers = { ...request.headers, ...change(ground(), request) };
    const { status, text, grpcStatus } = await send(session, request.path, headers, request.body);
    session.close();
    expect(`${status} ${reasonIn(text) ?? grpcStatus}`).toBe(told);
  });

  test.each(paths)("the path %j leads nowhere, though signed", async (path) => {
    // What is not ASCII cannot be signed.
    const { headers, body } = signed(ground(), /^[ -~]*$/.test(path) ? { path } : {});
    const session = openSession(ground());
    const latin1 = Buffer.from(path).toString("latin1");
    const { status } = await send(session, latin1, headers, body);
    session.destroy();
    // 0: the client or the gateway ends the stream as no HTTP.
    expect([0, 400, 404]).toContain(status);
  });

  test.each(["content-type", "content-digest", "host"])(
    "%s twice over HTTP/1.1 is refused",
    async (name) => {
      const wire = await openWire(ground(), "http/1.1");
      const twice = (lines: string[]) => [
        ...lines,
        lines.find((line) => line.startsWith(name)) ?? "",
        "connection: close",
      ];
      wire.socket.write(http1(ground(), signed(ground()), twice));
      expect(await wire.ended(5000)).toMatch(/^HTTP\/1\.1 400/);
    },
  );

  test("the absolute form over HTTP/1.1 is refused", async () => {
    const wire = await openWire(ground(), "http/1.1");
    const bytes = http1(ground(), signed(ground()), ([, ...lines]) => [
      `POST https://${ground().authority}${whoAmIPath} HTTP/1.1`,
      "connection: close",
      ...lines,
    ]);
    wire.socket.write(bytes);
    expect(await wire.ended(5000)).toContain("HTTP/1.1 400");
  });

  test.each(["h2", "http/1.1"] as const)(
    "headers of 64 KiB over %s end the request",
    async (protocol) => {
      await ground().besieged(async () => {
        const wire = await openWire(ground(), protocol);
        const { headers, path } = signed(ground());
        const large = { ...headers, "x-large": "x".repeat(64 * 1024) };
        if (protocol === "http/1.1") {
          wire.socket.write(http1(ground(), { path, headers: large, body: Buffer.alloc(0) }));
          expect(await wire.ended(5000)).toContain("HTTP/1.1 431");
          return;
        }
        const block = headerBlock({
          ":method": "POST",
          ":scheme": "https",
          ":authority": ground().authority,
          ":path": path,
          ...large,
        });
        const frames = [preface()];
        for (let at = 0; at < block.length; at += 16_384) {
          const part = block.subarray(at, at + 16_384);
          const last = at + 16_384 >= block.length;
          const type = at === 0 ? frameType.headers : frameType.continuation;
          frames.push(
            frame(type, (at === 0 ? flag.endStream : 0) | (last ? flag.endHeaders : 0), 1, part),
          );
        }
        wire.socket.write(Buffer.concat(frames));
        await Promise.race([wire.ended(3000).catch(() => undefined), sleep(1500)]);
        expect(wire.received()).not.toContain("vaultId");
        wire.socket.destroy();
      });
    },
  );

  test("100 bodies of 2 MiB at once are refused before they are read, and cost no memory", async () => {
    await ground().besieged(async () => {
      const session = openSession(ground());
      const body = Buffer.alloc(2 * 1024 * 1024, " ");
      const request = signed(ground(), { body });
      const ask = async () => {
        const { status, text } = await send(session, request.path, request.headers, body);
        // 0: the stream was reset while the client was still sending.
        expect([0, 400, 413, 429]).toContain(status);
        if (status !== 0) expect(text).toMatch(/TOO_LARGE|RATE_LIMITED/);
      };
      await Promise.all(Array.from({ length: 100 }, ask));
      session.destroy();
    });
  });

  test("content that is shorter or longer than it says is no request", async () => {
    for (const length of [1, 3, 1000]) {
      const session = openSession(ground());
      const request = signed(ground());
      const stream = send(
        session,
        request.path,
        { ...request.headers, "content-length": String(length) },
        request.body,
      );
      expect((await stream).status, String(length)).not.toBe(200);
      session.destroy();
    }
  });
}
