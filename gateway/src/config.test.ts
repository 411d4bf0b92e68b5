import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readGatewayConfig } from "./config.ts";

const dir = mkdtempSync(join(tmpdir(), "sallyport-config-"));
afterAll(() => rmSync(dir, { recursive: true }));

function file(name: string, content: string): string {
  writeFileSync(join(dir, name), content);
  return join(dir, name);
}

const env = {
  SALLYPORT_LISTEN: "127.0.0.1:8443",
  SALLYPORT_TRUST_DOMAIN: "sallyport.local",
  SALLYPORT_TLS_CERT_FILE: "/gateway.pem",
  SALLYPORT_TLS_KEY_FILE: "/gateway.key",
  SALLYPORT_CA_FILE: "/ca.pem",
  SALLYPORT_EDGE_CERT_FILE: "/edge.pem",
  SALLYPORT_EDGE_KEY_FILE: "/edge.key",
  SALLYPORT_PUBLIC_NAMES: "localhost:8443, sallyport.example",
  SALLYPORT_KEYSET_FILE: file("keyset.bin", "keyset"),
  SALLYPORT_ROOT_FINGERPRINT: "fingerprint",
  SALLYPORT_REDIS_URL_FILE: file("redis.url", "unix:///run/redis.sock\n"),
  SALLYPORT_IDENTITY_URL: "https://localhost:9101",
  SALLYPORT_POLICY_URL: "https://localhost:9102",
  SALLYPORT_SECRETS_URL: "https://localhost:9103",
  SALLYPORT_CRYPTO_URL: "https://localhost:9104",
  SALLYPORT_AUDIT_URL: "https://localhost:9105",
};

test("reads its settings; the window is a minute and nothing probes unless told otherwise", () => {
  expect(readGatewayConfig(env)).toMatchObject({
    listen: { host: "127.0.0.1", port: 8443 },
    publicNames: ["localhost:8443", "sallyport.example"],
    redisUrl: "unix:///run/redis.sock",
    clockWindowSeconds: 60,
    probeListen: undefined,
    connectionsPerAddress: 1024,
    newConnectionsPerAddress: 256,
    proxies: [],
  });
  const more = { ...env, SALLYPORT_PROBE_LISTEN: "127.0.0.1:8444", SALLYPORT_CLOCK_WINDOW: "300" };
  expect(readGatewayConfig(more)).toMatchObject({
    probeListen: { port: 8444 },
    clockWindowSeconds: 300,
  });
});

test.each(Object.keys(env))("does not start without %s", (name) => {
  expect(() => readGatewayConfig({ ...env, [name]: undefined })).toThrow(`${name} is missing`);
});

test.each([
  ["SALLYPORT_CLOCK_WINDOW", "301"],
  ["SALLYPORT_CLOCK_WINDOW", "0"],
  ["SALLYPORT_CONNECTIONS_PER_ADDRESS", "0"],
  ["SALLYPORT_NEW_CONNECTIONS_PER_ADDRESS", "0"],
  ["SALLYPORT_PROXY_PROTOCOL_FROM", "0.0.0.0/0"],
  ["SALLYPORT_KEK", "file:/kek.key"],
  ["SALLYPORT_DATABASE_URL_FILE", "/database.url"],
])("does not start with %s=%s", (name, value) => {
  expect(() => readGatewayConfig({ ...env, [name]: value })).toThrow(name);
});
