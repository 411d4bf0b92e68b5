import { readFileSync } from "node:fs";
import { connect } from "node:http2";
import { type TestPki, createTestPki, parseMetrics, testPeers } from "@sallyport/test/infra";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type TestServer, goodRequest, keys, startTestServer } from "./testing/servers.ts";

let pki: TestPki;
let server: TestServer;

beforeAll(async () => {
  pki = await createTestPki();
  server = await startTestServer(pki);
});
beforeEach(() => void server.logged.splice(0));
afterAll(async () => {
  for (const part of [server, pki]) await part[Symbol.asyncDispose]();
});

type Answer = { readonly status: number; readonly type: string; readonly text: string };

/** Asks as a peer. */
function ask(peer: string, path = "/metrics", method = "GET"): Promise<Answer> {
  const { certFile, keyFile, caFile } = pki.tls(peer);
  const [ca, cert, key] = [caFile, certFile, keyFile].map((file) => readFileSync(file, "utf8"));
  const session = connect(server.url, { ca: ca ?? "", cert: cert ?? "", key: key ?? "" });
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  let [status, type, text] = [0, "", ""];
  const stream = session.request({ ":path": path, ":method": method });
  stream.on("response", (headers) => {
    status = headers[":status"] ?? 0;
    type = String(headers["content-type"]);
  });
  stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  stream.on("end", () => resolve({ status, type, text })).on("error", reject);
  stream.end();
  return promise.finally(() => session.close());
}

test("the operator reads the metrics of the process, as Prometheus wants them", async () => {
  await using gateway = server.connect(pki.tls("gateway"));
  await keys(gateway.transport).resolveKeys(goodRequest);
  const { status, type, text } = await ask("operator");
  expect([status, type]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
  expect(parseMetrics(text).get("rpc_server_call_duration_seconds")?.type).toBe("histogram");
});

test("every other peer is refused, and that is logged", async () => {
  const others = testPeers.filter((peer) => peer !== "operator");
  for (const peer of others) {
    const { status, text } = await ask(peer);
    expect([status, text], peer).toEqual([403, "only the operator may read metrics\n"]);
  }
  const refused = server.logged.filter(({ msg, path }) => msg === "refused" && path === "/metrics");
  expect(refused.map(({ peer }) => peer)).toEqual(others);
});

test("nothing but GET of that path is answered", async () => {
  expect((await ask("operator", "/metrics", "POST")).status).toBe(405);
  for (const path of ["/metrics/", "/metrics?x", "/"])
    expect((await ask("operator", path)).status, path).toBe(404);
});
