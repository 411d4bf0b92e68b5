import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Identity, loadIdentity } from "@sallyport/client/identity";
import { pinned } from "@sallyport/client";
import { createTestEdge } from "@sallyport/test/infra";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { placeIdentity } from "../testing/identities.ts";
import { chooseIdentity } from "./choose.ts";
import { atNamedEndpoint, endpointOf, namedEndpoint } from "./endpoint.ts";
import { identityFile } from "./folder.ts";

let dir: string;
let ca: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-endpoint-"));
  ca = `${(await createTestEdge(["localhost"])).ca.trim()}\n`;
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function file(content: string | Uint8Array): string {
  const path = join(dir, "ca");
  writeFileSync(path, content);
  return path;
}
const url = "https://gateway.example:8443";

describe("the file of SALLYPORT_CA", () => {
  test("may have CR LF, a byte order mark, words, several certificates, or be DER", async () => {
    const der = new X509Certificate(ca).raw;
    for (const content of [ca, ca.replaceAll("\n", "\r\n"), `\uFEFF${ca}`, `# ours\n${ca}`, der])
      expect(await endpointOf({ SALLYPORT_URL: url, SALLYPORT_CA: file(content) })).toEqual({
        url,
        ca,
      });
    const two = await namedEndpoint({ SALLYPORT_CA: file(`${ca}\n${ca}`) });
    expect(two.ca).toBe(ca + ca);
  });

  test.each([
    ["nothing", ""],
    ["words", "this is no certificate"],
    ["a key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"],
    ["a certificate that is cut", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"],
    ["bytes", Buffer.from([0x30, 0x82, 0x01])],
  ])("that holds %s is refused before anything is asked", async (_, content) => {
    const refused = endpointOf({ SALLYPORT_URL: url, SALLYPORT_CA: file(content) });
    await expect(refused).rejects.toMatchObject({
      reason: "USAGE",
      next: expect.stringContaining("BEGIN") as unknown,
    });
    await expect(refused).rejects.toThrow(/which holds no certificate$/);
  });
});

describe("an identity whose gateway moved", () => {
  test("is used at SALLYPORT_URL, says so, and keeps what it had in its file", async () => {
    const vaultId = await placeIdentity(dir, {
      url: "https://old.example",
      ca: "old",
      keysetEpoch: 3,
    });
    const path = identityFile({ HOME: dir }, vaultId, "user");
    const before = readFileSync(path, "utf8");
    const said: string[] = [];
    const env = { HOME: dir, SALLYPORT_URL: url };
    const choice = {
      env,
      identity: path,
      vault: undefined,
      onMoved: (text: string) => void said.push(text),
    };
    const moved = await chooseIdentity(choice, ["user"]);
    const kept = JSON.parse(before) as Identity;
    expect(moved).toEqual({ ...kept, url });
    expect(said).toEqual([`going to ${url} of SALLYPORT_URL, instead of https://old.example`]);
    expect(readFileSync(path, "utf8")).toBe(before);
    // What is learnt at the new address is kept with the identity, and the address is not.
    await pinned(moved).remember?.(4);
    expect(await loadIdentity(path)).toEqual({ ...kept, keysetEpoch: 4 });
  });

  test("is used with the CA of SALLYPORT_CA, also where only that was renewed", async () => {
    const identity = await loadIdentity(
      identityFile({ HOME: dir }, await placeIdentity(dir, { url, ca: "old" }), "user"),
    );
    const said: string[] = [];
    const SALLYPORT_CA = file(ca);
    const renewed = await atNamedEndpoint(identity, { SALLYPORT_CA }, (text) => said.push(text));
    expect(renewed).toEqual({ ...identity, ca });
    expect(said).toEqual([]);
    expect(await atNamedEndpoint(identity, {})).toBe(identity);
    expect(await atNamedEndpoint(identity, { SALLYPORT_URL: `${url}/` })).toBe(identity);
  });

  test("goes nowhere without TLS", async () => {
    const identity = await loadIdentity(
      identityFile({ HOME: dir }, await placeIdentity(dir), "user"),
    );
    for (const address of [
      "http://gateway.example",
      "gateway.example:8443",
      "https://a:b@gateway.example",
    ])
      await expect(atNamedEndpoint(identity, { SALLYPORT_URL: address })).rejects.toMatchObject({
        reason: "USAGE",
      });
  });
});
