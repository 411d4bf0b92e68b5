import { execFile, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import { type IncomingMessage, request as requestHttp } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as readText } from "node:stream/consumers";
import { promisify } from "node:util";
import { maxContentBytes } from "@sallyport/proto/signing";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Answer, ToolRequest } from "./exchange.ts";
import type { Intrusion } from "../testing/intruder.ts";
import { secretHeader } from "./secret.ts";
import { type ProxyServer, startProxyServer } from "./server.ts";

vi.setConfig({ testTimeout: 30_000 });

const path = "/sallyport.identity.v1.UserService/WhoAmI";
const json = { "content-type": "application/json" };
let dir: string;
let forwarded: { readonly request: ToolRequest; readonly body: string }[];
let servers: ProxyServer[];
/** The header that the newest proxy on a port wants. */
let shown: Record<string, string>;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-proxy-"));
  forwarded = [];
  servers = [];
  shown = {};
});
afterEach(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

async function start(
  listen: Parameters<typeof startProxyServer>[0],
  answer?: Answer,
): Promise<string> {
  const server = await startProxyServer(listen, {
    forward: async (request, body) => {
      forwarded.push({ request, body: body.toString() });
      return (
        answer ?? { status: 200, headers: json, body: Buffer.from('{"ok":true}'), trailers: {} }
      );
    },
  });
  servers.push(server);
  if (server.secret !== undefined) shown = { [secretHeader]: server.secret };
  return server.url;
}
const onPort = (answer?: Answer) => start({ kind: "port", host: "127.0.0.1", port: 0 }, answer);

async function startOnPort(): Promise<ProxyServer> {
  await onPort();
  const server = servers.at(-1);
  if (!server) throw new Error("no proxy was started");
  return server;
}

async function overHttp1(url: string, headers: Record<string, string> = json, body = "{}") {
  const response = await fetch(url + path, {
    method: "POST",
    headers: { ...shown, ...headers },
    body,
  });
  return { status: response.status, text: await response.text() };
}

async function overHttp2(url: string, headers: Record<string, string>, body: Uint8Array) {
  const session = connectHttp2(url);
  const stream = session.request({ ":method": "POST", ":path": path, ...shown, ...headers });
  const trailers: Record<string, unknown> = {};
  stream.on("trailers", (given) => Object.assign(trailers, given));
  const head = new Promise<Record<string, unknown>>((resolve, reject) => {
    stream.once("response", resolve).once("error", reject);
  });
  stream.end(body);
  const [response, text] = [await head, await readText(stream)];
  session.close();
  return { status: response[":status"], headers: response, text, trailers };
}

const rootUser = process.getuid?.() === 0;
const rootReason = rootUser ? "" : " (skipped: only root can become another user)";

/** What came back to another user, nobody, at each attempt. */
async function intrude(intrusion: Intrusion): Promise<string[]> {
  const program = join(import.meta.dirname, "..", "testing", "intruder.ts");
  const env = { INTRUDER: JSON.stringify(intrusion) };
  const { stdout } = await promisify(execFile)(process.execPath, [program], { env });
  const { uid, answers } = JSON.parse(stdout) as { uid: number; answers: string[] };
  expect(uid).toBe(65_534);
  return answers;
}

describe("on one port", () => {
  test("HTTP/1.1 and HTTP/2 are answered, with what came from the gateway", async () => {
    const url = await onPort();
    expect(await overHttp1(url)).toEqual({ status: 200, text: '{"ok":true}' });
    expect(await overHttp2(url, json, Buffer.from("{}"))).toMatchObject({
      status: 200,
      text: '{"ok":true}',
    });
    expect(forwarded.map(({ request, body }) => [request.httpVersion, request.path, body])).toEqual(
      [
        [1, path, "{}"],
        [2, path, "{}"],
      ],
    );
  });

  test("several requests come over one connection", async () => {
    const url = await onPort();
    const session = connectHttp2(url);
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const stream = session.request({ ":method": "POST", ":path": path, ...shown, ...json });
        stream.end("{}");
        return readText(stream);
      }),
    );
    session.close();
    expect(new Set(answers)).toEqual(new Set(['{"ok":true}']));
  });

  test("gRPC's trailers are passed on, and its refusals are in its own form", async () => {
    const answer = {
      status: 200,
      headers: { "content-type": "application/grpc" },
      body: Buffer.from([0, 0, 0, 0, 0]),
      trailers: { "grpc-status": "0" },
    };
    const url = await onPort(answer);
    const grpc = { "content-type": "application/grpc", te: "trailers" };
    expect(await overHttp2(url, grpc, Buffer.alloc(5))).toMatchObject({
      status: 200,
      trailers: { "grpc-status": "0" },
    });
    const refused = await overHttp2(
      url,
      { ...grpc, origin: "https://evil.example" },
      Buffer.alloc(5),
    );
    expect(refused.headers).toMatchObject({ ":status": 200, "grpc-status": "7" });
    expect(decodeURIComponent(String(refused.headers["grpc-message"]))).toContain("web pages");
  });

  test("what is refused is not read on, signed or passed on", async () => {
    const url = await onPort();
    const refused = await overHttp1(url, { ...json, origin: "https://evil.example" });
    expect(refused.status).toBe(403);
    expect(JSON.parse(refused.text)).toMatchObject({ code: "permission_denied" });
    expect(forwarded).toEqual([]);
  });

  test("a page that had its own name resolve to this computer is refused", async () => {
    const { port } = new URL(await onPort());
    const status = await new Promise((resolve, reject) => {
      const headers = { ...json, ...shown, host: "evil.example" };
      const request = requestHttp(
        { port, host: "127.0.0.1", path, method: "POST", headers },
        (response) => {
          resolve(response.statusCode);
          response.resume();
        },
      );
      request.on("error", reject).end("{}");
    });
    expect(status).toBe(403);
    expect(forwarded).toEqual([]);
  });

  test("a body has what the gateway takes and no more, also when its length is not said", async () => {
    const url = await onPort();
    const most = `"${"x".repeat(maxContentBytes - 2)}"`;
    expect((await overHttp1(url, json, most)).status).toBe(200);
    const overflow = await overHttp1(url, json, `${most} `).catch(() => ({ status: 429 }));
    expect(overflow.status).toBe(429);
    const over = await overHttp2(url, json, Buffer.from(`${most} `));
    expect(over).toMatchObject({ status: 429 });
    expect(forwarded).toHaveLength(1);
  });

  test("what is no HTTP at all does not disturb it", async () => {
    const url = await onPort();
    const { port } = new URL(url);
    await new Promise((resolve) => {
      const socket = connectTcp(Number(port), "127.0.0.1", () =>
        socket.end("\u0016\u0003\u0001 not HTTP\r\n\r\n"),
      );
      socket
        .on("close", resolve)
        .on("error", () => undefined)
        .resume();
    });
    expect((await overHttp1(url)).status).toBe(200);
  });

  test("a request without its secret is refused, whoever it is of", async () => {
    const { url, secret = "" } = await startOnPort();
    const wrong = [{}, { [secretHeader]: "" }, { [secretHeader]: `${secret.slice(1)}A` }];
    for (const headers of [...wrong, { [secretHeader]: `${secret}, ${secret}` }]) {
      shown = {};
      const refused = await overHttp1(url, { ...json, ...headers });
      expect(refused.status).toBe(401);
      expect(refused.text).not.toContain(secret);
      expect(await overHttp2(url, { ...json, ...headers }, Buffer.from("{}"))).toMatchObject({
        status: 401,
      });
    }
    expect(forwarded).toEqual([]);
  });

  test("the secret may stand before the path, and goes no further", async () => {
    const { url, secret = "" } = await startOnPort();
    shown = {};
    expect((await overHttp1(`${url}/${secret}`)).status).toBe(200);
    expect((await overHttp1(url, { ...json, [secretHeader]: secret })).status).toBe(200);
    expect(forwarded.map(({ request }) => request.path)).toEqual([path, path]);
    const passedOn = forwarded.map(({ request, body }) => [request.path, request.headers, body]);
    expect(JSON.stringify(passedOn)).not.toContain(secret);
    for (const before of [
      "/A",
      `/${secret}A`,
      `/A/${secret}`,
      `//${secret}`,
      `/${secret}/${secret}`,
    ])
      expect((await overHttp1(url + before)).status, before).toBeGreaterThanOrEqual(400);
    expect(forwarded).toHaveLength(2);
  });

  test("each start draws another secret", async () => {
    const secrets = new Set([(await startOnPort()).secret, (await startOnPort()).secret]);
    expect(secrets.size).toBe(2);
    for (const secret of secrets) expect(Buffer.from(secret ?? "", "base64url")).toHaveLength(32);
  });

  // The second check, alone: the secret is given to those who are turned away.
  test
    .skipIf(!rootUser)
    .each<Intrusion["way"]>(["plain", "half-closed", "pipelined", "http2", "http2-half-closed"])(
    `another user is turned away unheard, even with the secret: %s${rootReason}`,
    async (way) => {
      const { url, secret = "" } = await startOnPort();
      const port = Number(new URL(url).port);
      const answers = await intrude({ port, way, tries: 5, path, body: "{}", secret });
      expect(answers).toEqual(["", "", "", "", ""]);
      expect(forwarded).toEqual([]);
    },
  );

  test.skipIf(!rootUser)(
    `another user is turned away who takes the port of this user's tool${rootReason}`,
    async () => {
      const { url, secret = "" } = await startOnPort();
      const { port } = new URL(url);
      const own = connectTcp({ host: "127.0.0.1", port: Number(port) });
      await once(own, "connect");
      try {
        for (const address of ["127.0.0.1", "127.0.0.2", "127.255.0.1"]) {
          const curl = `curl -s -m 5 -o /dev/null -w '%{http_code}' --interface ${address} --local-port ${own.localPort}`;
          const call = `${curl} -H 'content-type: application/json' -d '{}' ${url}/${secret}${path}; true`;
          const args = ["--reuid=65534", "--clear-groups", "sh", "-c", call];
          expect((await promisify(execFile)("setpriv", args)).stdout).toBe("000");
        }
      } finally {
        own.destroy();
      }
      expect(forwarded).toEqual([]);
    },
  );

  test("a port that is taken is named", async () => {
    const { port } = new URL(await onPort());
    await expect(start({ kind: "port", host: "127.0.0.1", port: Number(port) })).rejects.toThrow(
      new RegExp(`nothing can listen on 127.0.0.1:${port} \\(EADDRINUSE\\)`),
    );
  });
});

function leaveSocket(path: string): void {
  const listening = `require("node:net").createServer().listen(${JSON.stringify(path)}`;
  spawnSync(process.execPath, ["-e", `${listening}, () => process.kill(process.pid, 9))`]);
}

describe("on a socket", () => {
  const post = async (socket: string): Promise<string> => {
    const request = requestHttp({ socketPath: socket, path, method: "POST", headers: json });
    request.end("{}");
    const [response] = (await once(request, "response")) as [IncomingMessage];
    return readText(response);
  };

  test("only its owner may open it, whatever the umask", async () => {
    const socket = join(dir, "proxy.sock");
    const umask = process.umask(0);
    try {
      await start({ kind: "socket", path: socket });
    } finally {
      process.umask(umask);
    }
    expect(lstatSync(socket).mode & 0o777).toBe(0o600);
    expect(process.umask()).toBe(umask);
    expect(await post(socket)).toBe('{"ok":true}');
  });

  test("one that is left over is taken, one that is in use and any other file are not", async () => {
    const socket = join(dir, "proxy.sock");
    leaveSocket(socket);
    expect(existsSync(socket)).toBe(true);
    await start({ kind: "socket", path: socket });
    await expect(start({ kind: "socket", path: socket })).rejects.toThrow(
      /another program listens there/,
    );
    const file = join(dir, "file");
    writeFileSync(file, "mine");
    chmodSync(file, 0o600);
    await expect(start({ kind: "socket", path: file })).rejects.toThrow(/no socket/);
    expect(existsSync(file)).toBe(true);
  });

  test("it is listened on in a folder of one's own alone, and taken over from nobody", async () => {
    const socket = join(dir, "proxy.sock");
    for (const mode of [0o755, 0o710, 0o701, 0o770]) {
      chmodSync(dir, mode);
      await expect(start({ kind: "socket", path: socket })).rejects.toThrow(/chmod 700/);
    }
    chmodSync(dir, 0o700);
    const link = join(dir, "link");
    symlinkSync(dir, link);
    await expect(start({ kind: "socket", path: join(link, "s") })).rejects.toThrow(/link/);
    await expect(start({ kind: "socket", path: join(dir, "none", "s") })).rejects.toThrow(
      /not there/,
    );
    await expect(start({ kind: "socket", path: join(dir, "s".repeat(108)) })).rejects.toThrow(
      /bytes/,
    );
    expect(existsSync(socket)).toBe(false);
  });

  test.skipIf(!rootUser)(
    `of another user, neither folder nor socket is taken${rootReason}`,
    async () => {
      const socket = join(dir, "proxy.sock");
      leaveSocket(socket);
      lchownSync(socket, 65_534, 65_534);
      await expect(start({ kind: "socket", path: socket })).rejects.toThrow(/another user/);
      expect(existsSync(socket)).toBe(true);
      chownSync(dir, 65_534, 65_534);
      await expect(start({ kind: "socket", path: join(dir, "s") })).rejects.toThrow(/another user/);
    },
  );

  test.skipIf(!rootUser)(
    `another user cannot open it, by its folder alone and by its mode alone${rootReason}`,
    async () => {
      const socket = join(dir, "proxy.sock");
      await start({ kind: "socket", path: socket });
      for (const [folderMode, mode] of [
        [0o700, 0o666],
        [0o755, 0o600],
      ] as const) {
        chmodSync(dir, folderMode);
        chmodSync(socket, mode);
        expect(
          await intrude({ port: 0, socket, way: "plain", tries: 2, path, body: "{}" }),
        ).toEqual(["", ""]);
      }
      expect(forwarded).toEqual([]);
    },
  );

  test("it is gone when the proxy is", async () => {
    const socket = join(dir, "proxy.sock");
    await start({ kind: "socket", path: socket });
    await servers.pop()?.[Symbol.asyncDispose]();
    expect(existsSync(socket)).toBe(false);
  });
});
