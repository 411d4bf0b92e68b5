import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client, Metadata, credentials } from "@grpc/grpc-js";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  WhoAmIRequestSchema,
  WhoAmIResponseSchema,
} from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { programOf } from "../../interop/foreign-program.ts";
import { preparePython } from "../../interop/python-program.ts";
import { cliProgram } from "./home.ts";
import type { Cli } from "./state.ts";

const repository = join(import.meta.dirname, "..", "..", "..");
const intruder = join(repository, "clients", "cli", "src", "testing", "intruder.ts");

/** The signing proxy with the tools that it is for. */
export function describeProxy(cli: () => Cli): void {
  describe("proxy", () => {
    const whoAmI = "/sallyport.identity.v1.UserService/WhoAmI";
    const json = ["-H", "content-type: application/json", "-d", "{}"];
    let onSocket: Started;
    let onPort: Started;

    beforeAll(async () => {
      onSocket = await start(["--as", "machine"]);
      cli().printed.set("proxy", onSocket.printed);
      onPort = await start(["--as", "machine", "--listen", "127.0.0.1:0"]);
    }, 60_000);
    afterAll(async () => {
      expect(await onSocket.stop()).toBe(0);
      expect(await onPort.stop()).toBe(0);
      for (const path of [onSocket.printed.socket, onPort.printed.headerFile])
        expect(existsSync(path ?? ""), path ?? "").toBe(false);
    });

    async function start(args: readonly string[]): Promise<Started> {
      const child = spawn(process.execPath, [cliProgram, "proxy", ...args, "--json"], {
        env: cli().home.env,
      });
      const printed = JSON.parse(await firstOutput(child)) as Printed;
      const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
      const stop = (): Promise<number | null> => {
        child.kill("SIGTERM");
        return ended;
      };
      return { printed, stop };
    }

    /** The arguments with which a tool reaches each of the two. */
    const ways = (): [string[], string][] => [
      [["--unix-socket", onSocket.printed.socket ?? ""], onSocket.printed.url],
      [["-H", `@${onPort.printed.headerFile ?? ""}`], new URL(onPort.printed.url).origin],
      [[], onPort.printed.url],
    ];

    test("signs for curl, on its socket and on its port", async () => {
      for (const [args, url] of ways()) {
        const { stdout } = await promisify(execFile)("curl", [
          "-sS",
          ...args,
          ...json,
          url + whoAmI,
        ]);
        expect(JSON.parse(stdout)).toMatchObject({ principalId: cli().machineId });
        const page = ["-sS", ...args, ...json, "-H", "origin: https://evil.example", url + whoAmI];
        const refused = await promisify(execFile)("curl", page);
        expect(JSON.parse(refused.stdout)).toMatchObject({ code: "permission_denied" });
      }
    });

    test.each([
      ["connect", []],
      ["grpc", ["--http2-prior-knowledge"]],
    ])("signs for buf curl in %s", async (protocol, more) => {
      for (const [way, url] of ways().slice(0, 2)) {
        const args = ["curl", "--schema", "proto", "--protocol", protocol, ...more, ...way];
        const { stdout } = await promisify(execFile)("buf", [...args, "-d", "{}", url + whoAmI], {
          cwd: repository,
        });
        expect(JSON.parse(stdout)).toMatchObject({ principalId: cli().machineId });
        const read = '{"secret_ids":["sec_00000000000000000000"],"all_or_nothing":true}';
        const target = `${url}/sallyport.gateway.v1.ReadService/ReadSecrets`;
        const failed = promisify(execFile)("buf", [...args, "-d", read, target], {
          cwd: repository,
        });
        await expect(failed).rejects.toThrow(/permission_denied/);
      }
    });

    test("signs for @grpc/grpc-js, and passes errors with their details", async () => {
      const { socket, url } = onPort.printed;
      const { host, pathname } = new URL(url);
      expect(socket).toBeNull();
      for (const [target, secret] of [
        [`unix:${onSocket.printed.socket ?? ""}`, undefined],
        [host, pathname.slice(1)],
      ] as const) {
        const metadata = new Metadata();
        if (secret !== undefined) metadata.set("sallyport-proxy-secret", secret);
        const client = new Client(target, credentials.createInsecure());
        const call = (path: string) =>
          new Promise<string>((resolve, reject) => {
            client.makeUnaryRequest(
              path,
              (message: Uint8Array) => Buffer.from(message),
              (bytes: Buffer) => fromBinary(WhoAmIResponseSchema, bytes).principalId,
              toBinary(WhoAmIRequestSchema, create(WhoAmIRequestSchema)),
              metadata,
              (error, reply) => (error ? reject(error) : resolve(reply ?? "")),
            );
          });
        expect(await call(whoAmI)).toBe(cli().machineId);
        const refused = call("/sallyport.identity.v1.VaultService/GetVault");
        await expect(refused).rejects.toMatchObject({ code: 7 });
        client.close();
      }
    });

    test("its own refusals reach grpcio with their code and their sentence", async (context) => {
      const python = await preparePython();
      if (python.kind === "missing") context.skip(python.reason);
      const { command } = programOf(python);
      const { host, pathname } = new URL(onPort.printed.url);
      const reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
      const script = join(repository, "test", "interop", "python", "refused.py");
      const refused = async (secret: string, authority: string, ...methods: string[]) => {
        const args = [script, host, secret, authority, ...methods];
        const { stdout } = await promisify(execFile)(command, args);
        return JSON.parse(stdout) as unknown;
      };
      const secret = pathname.slice(1);
      expect(await refused(secret, "", reflection, whoAmI)).toEqual([
        ["UNIMPLEMENTED", expect.stringContaining("without reflection")],
        ["OK", ""],
      ]);
      expect(await refused("", "", whoAmI)).toEqual([
        ["UNAUTHENTICATED", expect.stringContaining("a port wants its secret")],
      ]);
      expect(await refused(secret, "evil.example", whoAmI)).toEqual([
        ["PERMISSION_DENIED", expect.stringContaining("not called")],
      ]);
    });

    test("what it prints for people is what to type, and no secret stands on a command line", async () => {
      for (const args of [[], ["--listen", "127.0.0.1:0"]]) {
        const child = spawn(process.execPath, [cliProgram, "proxy", "--as", "machine", ...args], {
          env: { ...cli().home.env, XDG_RUNTIME_DIR: join(cli().home.dir) },
        });
        const shown = await firstOutput(child, /WhoAmI\n.*grpcurl [^\n]*WhoAmI\n/s);
        const secret = /\/([\w-]{43}),/.exec(shown)?.[1];
        for (const line of shown.split("\n").filter((text) => /^ {2}(?:buf )?curl/.test(text))) {
          const { stdout } = await promisify(execFile)("sh", ["-c", line], { cwd: repository });
          expect(JSON.parse(stdout)).toMatchObject({ principalId: cli().machineId });
          if (secret !== undefined) expect(line).not.toContain(secret);
        }
        expect(secret !== undefined).toBe(args.length > 0);
        expect(readFileSync(`/proc/${child.pid}/cmdline`, "latin1")).not.toContain(
          secret ?? "none",
        );
        const ended = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGTERM");
        expect(await ended).toBe(0);
      }
    });

    test("its socket and its header file are closed to others, and so has to be their folder", async () => {
      for (const path of [onSocket.printed.socket, onPort.printed.headerFile]) {
        expect(statSync(path ?? "").mode & 0o777).toBe(0o600);
        expect(statSync(join(path ?? "", "..")).mode & 0o777).toBe(0o700);
      }
      const open = join(cli().home.dir, "open");
      mkdirSync(open, { mode: 0o755 });
      const refused = await cli().home.run(["proxy", "--socket", join(open, "proxy.sock")]);
      expect(refused.code).toBe(1);
      expect(refused.err).toContain(`chmod 700 ${open}`);
      const env = { XDG_RUNTIME_DIR: open };
      expect((await cli().home.run(["proxy"], { env })).err).toContain(`chmod 700 ${open}`);
      const both = await cli().home.run(["proxy", "--socket", "x", "--listen", "127.0.0.1:0"]);
      expect(both).toMatchObject({ code: 2 });
    });

    // A half-closed, pipelined or HTTP/2 connection once passed for this user's.
    const root = process.getuid?.() === 0;
    const skipped = root ? "" : " (skipped: only root can become another user)";
    describe.skipIf(!root)(`gives another user of the computer nothing${skipped}`, () => {
      const read = "/sallyport.gateway.v1.ReadService/ReadSecrets";
      const invite = "/sallyport.identity.v1.UserService/CreateLoginCode";
      const codeKeySha256 = Buffer.alloc(32).toString("base64");
      const owner = JSON.stringify({ codeKeySha256, role: "ROLE_OWNER", lifetime: "3600s" });
      let asUser: Started;
      beforeAll(async () => {
        asUser = await start(["--as", "user", "--listen", "127.0.0.1:0"]);
      });
      afterAll(() => asUser.stop());

      async function intrude(ask: object): Promise<string[]> {
        const env = { INTRUDER: JSON.stringify(ask) };
        const { stdout } = await promisify(execFile)(process.execPath, [intruder], { env });
        const { uid, answers } = JSON.parse(stdout) as { uid: number; answers: string[] };
        expect(uid).toBe(65_534);
        return answers;
      }

      const ways = ["plain", "half-closed", "closed", "pipelined", "http2", "http2-half-closed"];
      test.each(ways)("on a port, with or without its secret: %s", async (way) => {
        for (const [started, path, body] of [
          [onPort, read, '{"allGranted":true}'],
          [asUser, invite, owner],
        ] as const) {
          const { port, pathname } = new URL(started.printed.url);
          const ask = { port: Number(port), way, tries: 3, path, body };
          expect(await intrude(ask)).toEqual(["", "", ""]);
          expect(await intrude({ ...ask, secret: pathname.slice(1) })).toEqual(["", "", ""]);
        }
        const { loginCodes } = await cli().admin.services.users.listLoginCodes({});
        expect(loginCodes.filter(({ createdBy }) => createdBy !== "")).toEqual([]);
      });

      test("on a socket", async () => {
        const socket = onSocket.printed.socket ?? "";
        const ask = {
          port: 0,
          socket,
          way: "plain",
          tries: 2,
          path: read,
          body: '{"allGranted":true}',
        };
        expect(await intrude(ask)).toEqual(["", ""]);
      });
    });
  });
}

type Printed = {
  readonly url: string;
  readonly socket: string | null;
  readonly headerFile: string | null;
};
type Started = { readonly printed: Printed; stop(): Promise<number | null> };

/** The output of a proxy, once it is complete. */
function firstOutput(child: ChildProcess, whole = /\}\s*$/): Promise<string> {
  let text = "";
  return new Promise((resolve, reject) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (whole.test(text)) resolve(text);
    });
    child.once("exit", () => reject(new Error(`the proxy ended: ${text}`)));
  });
}
