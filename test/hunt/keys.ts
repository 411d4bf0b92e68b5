import { readFileSync } from "node:fs";
import { join } from "node:path";
import { keyFile } from "@sallyport/config";
import { createFileKek, openKeyring } from "@sallyport/crypto/server";
import { type Process, type System, processes } from "@sallyport/deploy/local";
import { type Canary, bytesCanary, pemCanary } from "./canary.ts";

/**
 * A key of the deployment, the files that it may be in, and the processes that may have it in
 * memory.
 */
export type HeldKey = {
  readonly canary: Canary;
  readonly files: readonly string[];
  readonly memory: readonly Process[];
};

/**
 * Every private and shared key of a deployment, with the places that services/README.md gives it.
 */
export async function keysOf({ layout }: System): Promise<HeldKey[]> {
  const only = (process: Process, name: string): Uint8Array =>
    keyFile(name).read(join(layout.folder(process), name))[0]?.key ?? new Uint8Array();
  const kek = only("crypto", "kek.key");
  const keyring = await openKeyring(
    createFileKek(kek),
    readFileSync(join(layout.folder("crypto"), "keyring.bin")),
  );
  const root = Buffer.from(readFileSync(join(layout.root, "root.key"), "utf8"), "base64");
  const held = (name: string, key: Uint8Array, files: string[], memory: Process[]): HeldKey => ({
    canary: bytesCanary(name, key),
    files,
    memory,
  });
  return [
    held("KEK", kek, ["crypto/kek.key"], ["crypto"]),
    held("permit key", only("policy", "permit.key"), ["policy/permit.key"], ["policy", "crypto"]),
    held("slip key", only("secrets", "slip.key"), ["secrets/slip.key"], ["secrets", "crypto"]),
    held(
      "credential key",
      only("identity", "credential.key"),
      ["identity/credential.key"],
      ["identity"],
    ),
    held("log key", only("audit", "log.key"), ["audit/log.key"], ["audit"]),
    held("sealing key", keyring.sealing[0]?.key ?? root, [], ["crypto"]),
    held("reply key", keyring.reply[0]?.key ?? root, [], ["crypto"]),
    held("root key", root, ["root/root.key"], []),
    ...processes.map((process) => tlsKey(layout.folder(process), process)),
  ];
}

function tlsKey(folder: string, process: Process): HeldKey {
  const pem = readFileSync(join(folder, `${process}.key`), "utf8");
  return {
    canary: pemCanary(`TLS key of ${process}`, pem),
    files: [`${process}/${process}.key`],
    memory: [process],
  };
}
