import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client, credentials } from "@grpc/grpc-js";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  WhoAmIRequestSchema,
  WhoAmIResponseSchema,
} from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cliProgram } from "./home.ts";
import type { Cli } from "./state.ts";

const repository = join(import.meta.dirname, "..", "..", "..");

/** The signing proxy with the tools that it is for. */
export function describeProxy(cli: () => Cli): void {
  describe("proxy", () => {
    const whoAmI = "/sallyport.identity.v1.UserService/WhoAmI";
    let proxy: ChildProcess;
    let url: string;

    beforeAll(async () => {
      proxy = spawn(process.execPath, [cliProgram, "proxy", "--as", "machine", "--json"], {
        env: cli().home.env,
      });
      const started = await firstOutput(proxy);
      cli().printed.set("proxy", JSON.parse(started));
      ({ url } = JSON.parse(started) as { url: string });
    }, 60_000);
    afterAll(() => proxy.kill());

    function firstOutput(child: ChildProcess): Promise<string> {
      let text = "";
      return new Promise((resolve, reject) => {
        child.stdout?.on("data", (chunk: Buffer) => {
          text += chunk.toString();
          if (text.trimEnd().endsWith("}")) resolve(text);
        });
        child.once("exit", () => reject(new Error(`the proxy ended: ${text}`)));
      });
    }

    test("signs for curl", async () => {
      const args = ["-sS", "-H", "content-type: application/json", "-d", "{}", url + whoAmI];
      const { stdout } = await promisify(execFile)("curl", args);
      expect(JSON.parse(stdout)).toMatchObject({ principalId: cli().machineId });
      const refused = await promisify(execFile)("curl", [
        "-sS",
        "-H",
        "origin: https://evil.example",
        ...args.slice(1),
      ]);
      expect(JSON.parse(refused.stdout)).toMatchObject({ code: "permission_denied" });
    });

    test.each([
      ["connect", []],
      ["grpc", ["--http2-prior-knowledge"]],
    ])("signs for buf curl in %s", async (protocol, more) => {
      const args = ["curl", "--schema", "proto", "--protocol", protocol, ...more, "-d", "{}", url + whoAmI];
      const { stdout } = await promisify(execFile)("buf", args, { cwd: repository });
      expect(JSON.parse(stdout)).toMatchObject({ principalId: cli().machineId });
      const read = [
        ...args.slice(0, -3),
        "-d",
        '{"secret_ids":["sec_00000000000000000000"],"all_or_nothing":true}',
      ];
      const failed = promisify(execFile)(
        "buf",
        [...read, `${url}/sallyport.gateway.v1.ReadService/ReadSecrets`],
        { cwd: repository },
      );
      await expect(failed).rejects.toThrow(/permission_denied/);
    });

    test("signs for @grpc/grpc-js, and passes errors with their details", async () => {
      const client = new Client(new URL(url).host, credentials.createInsecure());
      const call = (path: string) =>
        new Promise<string>((resolve, reject) => {
          client.makeUnaryRequest(
            path,
            (message: Uint8Array) => Buffer.from(message),
            (bytes: Buffer) => fromBinary(WhoAmIResponseSchema, bytes).principalId,
            toBinary(WhoAmIRequestSchema, create(WhoAmIRequestSchema)),
            (error, reply) => (error ? reject(error) : resolve(reply ?? "")),
          );
        });
      expect(await call(whoAmI)).toBe(cli().machineId);
      await expect(call("/sallyport.identity.v1.VaultService/GetVault")).rejects.toMatchObject({ code: 7 });
      client.close();
    });

    test("listens on a socket of its owner, and stops when told to", async () => {
      const socket = join(cli().home.dir, "proxy.sock");
      const onSocket = spawn(
        process.execPath,
        [cliProgram, "proxy", "--listen", `unix:${socket}`, "--json"],
        {
          env: cli().home.env,
        },
      );
      await firstOutput(onSocket);
      expect(statSync(socket).mode & 0o777).toBe(0o600);
      const args = ["-sS", "--unix-socket", socket, "-H", "content-type: application/json", "-d", "{}"];
      const { stdout } = await promisify(execFile)("curl", [...args, `http://localhost${whoAmI}`]);
      expect(JSON.parse(stdout)).toMatchObject({ kind: "PRINCIPAL_KIND_USER" });
      const ended = new Promise((resolve) => onSocket.once("exit", resolve));
      onSocket.kill("SIGTERM");
      expect(await ended).toBe(0);
      expect(existsSync(socket)).toBe(false);
    });
  });
}
