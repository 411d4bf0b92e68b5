import { execFile, spawnSync } from "node:child_process";
import { chmodSync, existsSync, lstatSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { request as requestHttp } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as readText } from "node:stream/consumers";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Answer, ToolRequest } from "./exchange.ts";
import { type ProxyServer, startProxyServer } from "./server.ts";

vi.setConfig({ testTimeout: 30_000 });

const path = "/sallyport.identity.v1.UserService/WhoAmI";
const json = { "content-type": "application/json" };
let dir: string;
let forwarded: { readonly request: ToolRequest; readonly body: string }[];
let servers: ProxyServer[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-proxy-"));
  forwarded = [];
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

async function start(listen: Parameters<typeof startProxyServer>[0], answer?: Answer): Promise<string> {
  const server = await startProxyServer(listen, {
    forward: async (request, body) => {
      forwarded.push({ request, body: body.toString() });
      return answer ?? { status: 200, headers: json, body: Buffer.from('{"ok":true}'), trailers: {} };
    },
  });
  servers.push(server);
  return server.url;
}
const onPort = (answer?: Answer) => start({ kind: "port", host: "127.0.0.1", port: 0 }, answer);

async function overHttp1(url: string, headers: Record<string, string> = json, body = "{}") {
  const response = await fetch(url + path, { method: "POST", headers, body });
  return { status: response.status, text: await response.text() };
}

async function overHttp2(url: string, headers: Record<string, string>, body: Uint8Array) {
  const session = connectHttp2(url);
  const stream = session.request({ ":method": "POST", ":path": path, ...headers });
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

describe("on one port", () => {
  test("HTTP/1.1 and HTTP/2 are answered, with what came from the gateway", async () => {
    const url = await onPort();
    expect(await overHttp1(url)).toEqual({ status: 200, text: '{"ok":true}' });
    expect(await overHttp2(url, json, Buffer.from("{}"))).toMatchObject({ status: 200, text: '{"ok":true}' });
    expect(forwarded.map(({ request, body }) => [request.httpVersion, request.path, body])).toEqual([
      [1, path, "{}"],
      [2, path, "{}"],
    ]);
  });

  test("several requests come over one connection", async () => {
    const url = await onPort();
    const session = connectHttp2(url);
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const stream = session.request({ ":method": "POST", ":path": path, ...json });
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
    const refused = await overHttp2(url, { ...grpc, origin: "https://evil.example" }, Buffer.alloc(5));
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
      const headers = { ...json, host: "evil.example" };
      const request = requestHttp({ port, host: "127.0.0.1", path, method: "POST", headers }, (response) => {
        resolve(response.statusCode);
        response.resume();
      });
      request.on("error", reject).end("{}");
    });
    expect(status).toBe(403);
    expect(forwarded).toEqual([]);
  });

  test("a body has 1 MiB and no more, also when its length is not said", async () => {
    const url = await onPort();
    const most = `"${"x".repeat(1024 * 1024 - 2)}"`;
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

  const setpriv = process.getuid?.() === 0 && spawnSync("setpriv", ["--version"]).status === 0;
  test.skipIf(!setpriv)(
    `another user is turned away${setpriv ? "" : " (needs root and setpriv)"}`,
    async () => {
      const url = await onPort();
      const call = async (user: number): Promise<string> => {
        const curl = `curl -s -m 5 -o /dev/null -w '%{http_code}' -H 'content-type: application/json' -d '{}' ${url}${path}`;
        const args = [`--reuid=${user}`, "--clear-groups", "sh", "-c", `${curl}; true`];
        return (await promisify(execFile)("setpriv", args)).stdout;
      };
      expect(await call(0)).toBe("200");
      expect(await call(65_534)).toBe("000");
      expect(forwarded).toHaveLength(1);
    },
  );

  test.skipIf(!setpriv)(
    `another user is turned away who takes the port of this user's tool${setpriv ? "" : " (needs root and setpriv)"}`,
    async () => {
      const url = await onPort();
      const { port } = new URL(url);
      const own = connectTcp({ host: "127.0.0.1", port: Number(port) });
      await once(own, "connect");
      try {
        for (const address of ["127.0.0.1", "127.0.0.2", "127.255.0.1"]) {
          const curl = `curl -s -m 5 -o /dev/null -w '%{http_code}' --interface ${address} --local-port ${own.localPort}`;
          const call = `${curl} -H 'content-type: application/json' -d '{}' ${url}${path}; true`;
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

describe("on a socket", () => {
  const curl = async (socket: string): Promise<string> => {
    const args = ["-sS", "--unix-socket", socket, "-H", "content-type: application/json", "-d", "{}"];
    return (await promisify(execFile)("curl", [...args, `http://localhost${path}`])).stdout;
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
    expect(await curl(socket)).toBe('{"ok":true}');
  });

  test("one that is left over is taken, one that is in use and any other file are not", async () => {
    const socket = join(dir, "proxy.sock");
    const left = `require("node:net").createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 9))`;
    spawnSync(process.execPath, ["-e", left]);
    expect(existsSync(socket)).toBe(true);
    await start({ kind: "socket", path: socket });
    await expect(start({ kind: "socket", path: socket })).rejects.toThrow(/another program listens there/);
    const file = join(dir, "file");
    writeFileSync(file, "mine");
    chmodSync(file, 0o600);
    await expect(start({ kind: "socket", path: file })).rejects.toThrow(/no socket/);
    expect(existsSync(file)).toBe(true);
  });

  test("it is gone when the proxy is", async () => {
    const socket = join(dir, "proxy.sock");
    await start({ kind: "socket", path: socket });
    await servers.pop()?.[Symbol.asyncDispose]();
    expect(existsSync(socket)).toBe(false);
  });
});
