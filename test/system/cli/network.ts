import { type ChildProcess, execFile, spawn } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Identity, loadIdentity, openSallyport } from "@sallyport/client";
import { afterEach, describe, expect, test } from "vitest";
import { type ConnectProxy, startConnectProxy } from "../../infra/index.ts";
import { cliProgram } from "./home.ts";
import type { Cli } from "./state.ts";

type Finding = {
  readonly check: string;
  readonly status: string;
  readonly detail: string;
  readonly fix: string | null;
};

/**
 * The way to the gateway: proxies, lost connections, another address, the system's CAs, mounted
 * identities.
 */
export function describeNetwork(cli: () => Cli): void {
  describe("the way to the gateway", () => {
    const stops: (() => unknown)[] = [];
    afterEach(async () => {
      for (const stop of stops.splice(0).toReversed()) await stop();
    });

    async function proxied(
      manners: Parameters<typeof startConnectProxy>[0] = {},
      credentials = "",
    ): Promise<{ proxy: ConnectProxy; env: Record<string, string> }> {
      const proxy = await startConnectProxy(manners);
      stops.push(() => proxy[Symbol.asyncDispose]());
      // Said to be empty, so that not even this computer's own names go directly.
      const env = { HTTPS_PROXY: `http://${credentials}127.0.0.1:${proxy.port}`, NO_PROXY: "" };
      return { proxy, env };
    }

    function start(args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
      const child = spawn(process.execPath, [cliProgram, ...args], {
        env: { ...cli().home.env, ...env },
      });
      const ended = new Promise((resolve) => child.once("exit", resolve));
      stops.push(() => {
        child.kill("SIGTERM");
        return ended;
      });
      return child;
    }

    const doctor = async (env: Readonly<Record<string, string>>) => {
      const { code, out } = await cli().home.run(["doctor", "--json"], { env });
      return { code, found: JSON.parse(out) as Finding[] };
    };
    const host = () => new URL(cli().deployment.endpoint.url).host;

    test("goes by way of HTTPS_PROXY, with user and password, and not where NO_PROXY says", async () => {
      const authorization = `Basic ${Buffer.from("ada:pass word").toString("base64")}`;
      const { proxy, env } = await proxied({ authorization }, "ada:pass%20word@");
      expect((await cli().home.run(["get", "DB_URL"], { env })).out).toBe("postgres://db/2");
      expect(new Set(proxy.asked)).toEqual(new Set([`${host()} ${authorization}`]));
      const before = proxy.asked.length;
      for (const NO_PROXY of ["localhost", "*", `localhost:${new URL(`https://${host()}`).port}`])
        expect((await cli().home.run(["whoami"], { env: { ...env, NO_PROXY } })).code).toBe(0);
      expect(proxy.asked).toHaveLength(before);
    });

    test("doctor says that a proxy is used, and which step failed", async () => {
      const good = await proxied();
      const well = await doctor(good.env);
      expect(well.code).toBe(0);
      const names = `HTTPS_PROXY names http://127.0.0.1:${good.proxy.port}`;
      expect(well.found).toContainEqual(
        expect.objectContaining({ check: "proxy", status: "ok", detail: containing(names) }),
      );
      expect(well.found.find(({ check }) => check === "reach")?.detail).toContain(
        "through the proxy",
      );
      const closed = await proxied({ authorization: "Basic x" });
      const refused = await doctor(closed.env);
      expect(refused.code).toBe(6);
      expect(refused.found.at(-1)).toMatchObject({
        check: "reach",
        detail: containing("answered HTTP 407"),
        fix: containing("HTTPS_PROXY"),
      });
      const away = await doctor({ ...good.env, HTTPS_PROXY: "http://127.0.0.1:1" });
      expect(away.found.at(-1)).toMatchObject({ check: "proxy", status: "bad" });
      const none = await doctor({ ...good.env, HTTPS_PROXY: "socks5://127.0.0.1:1" });
      expect(none.found.at(-1)).toMatchObject({ check: "proxy", status: "bad" });
    });

    test.each(["connect", "grpc"] as const)(
      "that was lost in silence costs the library one attempt over %s",
      async (protocol) => {
        const { proxy, env } = await proxied();
        const identity = await loadIdentity(join(cli().vaultFolder(), "machine.json"));
        const client = openSallyport(identity, protocol, { env, attemptMs: 2_000 });
        stops.push(() => client.close());
        expect((await client.listReadable()).length).toBeGreaterThan(0);
        proxy.silence();
        await expect(client.listReadable()).rejects.toMatchObject({ reason: "UNREACHABLE" });
        expect((await client.listReadable()).length).toBeGreaterThan(0);
      },
    );

    test("that was lost in silence costs a tool of the proxy one request", async () => {
      const { proxy, env } = await proxied();
      const child = start(["proxy", "--as", "machine", "--listen", "127.0.0.1:0", "--json"], env);
      const { url } = JSON.parse(await outputOf(child, /\}\s*$/)) as { url: string };
      const whoAmI = `${url}/sallyport.identity.v1.UserService/WhoAmI`;
      const args = ["-sS", "-H", "content-type: application/json", "-d", "{}", whoAmI];
      const ask = async () =>
        JSON.parse((await promisify(execFile)("curl", args)).stdout) as unknown;
      const mine = { principalId: cli().machineId };
      expect(await ask()).toMatchObject(mine);
      proxy.silence();
      expect(await ask()).toMatchObject({ code: "unavailable" });
      expect(await ask()).toMatchObject(mine);
    });

    test("that was lost in silence costs audit tail nothing", async () => {
      const { proxy, env } = await proxied();
      const child = start(["audit", "tail", "--last", "1", "--every", "1s", "--json"], env);
      const shown = outputOf(child, /"action":\s?"secret\.created"[^\n]*LOST_LINK/);
      await outputOf(child, /\n/);
      proxy.silence();
      await cli().home.json(["secret", "put", "LOST_LINK", "--project", "web"], { input: "x" });
      expect(await shown).toContain("LOST_LINK");
    });

    const changed = async (change: Partial<Identity>): Promise<string> => {
      const path = join(cli().home.dir, "elsewhere.json");
      const identity = {
        ...(await loadIdentity(join(cli().vaultFolder(), "machine.json"))),
        ...change,
      };
      writeFileSync(path, JSON.stringify(identity), { mode: 0o600 });
      return path;
    };

    test("leads to SALLYPORT_URL when a gateway moved, which is said, and the root still counts", async () => {
      const SALLYPORT_IDENTITY = await changed({ url: "https://moved-away.invalid", ca: "" });
      const found = await cli().home.run(["get", "DB_URL"], { env: { SALLYPORT_IDENTITY } });
      expect(found).toMatchObject({ code: 0, out: "postgres://db/2" });
      expect(found.err.replaceAll(/\s+/g, " ")).toContain(
        `going to https://${host()} of SALLYPORT_URL, instead of https://moved-away.invalid`,
      );
      expect(readFileSync(SALLYPORT_IDENTITY, "utf8")).toContain("moved-away");
      const { code, found: findings } = await doctor({ SALLYPORT_IDENTITY });
      expect(code).toBe(0);
      expect(findings).toContainEqual(
        expect.objectContaining({ check: "gateway", detail: containing("moved-away") }),
      );
      const foreign = await changed({
        url: "https://moved-away.invalid",
        rootFingerprint: "A".repeat(43),
      });
      const refused = await cli().home.run(["get", "DB_URL", "--json"], {
        env: { SALLYPORT_IDENTITY: foreign },
      });
      expect(refused).toMatchObject({ code: 4, out: "" });
      expect(JSON.parse(refused.err)).toMatchObject({
        error: { reason: "ROOT_CHANGED", next: containing("SALLYPORT_URL") },
      });
    });

    test("is trusted by the system's CAs, or those of SSL_CERT_FILE, where no CA is named", async () => {
      const path = join(cli().home.dir, "without-ca.json");
      const { ca: _, ...identity } = await loadIdentity(join(cli().vaultFolder(), "machine.json"));
      writeFileSync(path, JSON.stringify(identity), { mode: 0o600 });
      const env = { SALLYPORT_IDENTITY: path, SALLYPORT_CA: "" };
      const { edgeCaFile } = cli().deployment.system;
      const trusted = { ...env, SSL_CERT_FILE: edgeCaFile };
      expect((await cli().home.run(["get", "DB_URL"], { env: trusted })).out).toBe(
        "postgres://db/2",
      );
      const refused = await cli().home.run(["get", "DB_URL"], { env });
      expect(refused).toMatchObject({ code: 6, out: "" });
      expect(refused.err).toMatch(/CA that is not trusted here[^→]*→ set SALLYPORT_CA/);
      const { found } = await doctor(env);
      expect(found.at(-1)).toMatchObject({ check: "TLS", fix: containing("SALLYPORT_CA") });
    });

    test("is gone by an identity on a volume of Kubernetes", async () => {
      const volume = mkdtempSync(join(tmpdir(), "sallyport-volume-"));
      stops.push(() => rmSync(volume, { recursive: true }));
      mkdirSync(join(volume, "..2026"));
      const content = readFileSync(join(cli().vaultFolder(), "machine.json"));
      writeFileSync(join(volume, "..2026", "machine.json"), content, { mode: 0o400 });
      symlinkSync("..2026", join(volume, "..data"));
      symlinkSync("..data/machine.json", join(volume, "machine.json"));
      chmodSync(volume, 0o1777);
      const env = { SALLYPORT_IDENTITY: join(volume, "machine.json") };
      expect((await cli().home.run(["get", "DB_URL"], { env })).out).toBe("postgres://db/2");
      chmodSync(volume, 0o777);
      expect(await cli().home.run(["get", "DB_URL"], { env })).toMatchObject({ code: 4, out: "" });
    });
  });
}

function containing(text: string): unknown {
  return expect.stringContaining(text);
}

/** The output of a program, once it contains what was waited for. */
function outputOf(child: ChildProcess, wanted: RegExp): Promise<string> {
  let text = "";
  return new Promise((resolve, reject) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (wanted.test(text)) resolve(text);
    });
    child.once("exit", () => reject(new Error(`the program ended: ${text}`)));
  });
}
