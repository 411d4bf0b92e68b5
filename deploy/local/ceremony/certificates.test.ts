import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import type { X509Certificate } from "@peculiar/x509";
import { afterEach, beforeEach, expect, test } from "vitest";
import { dayMs, daysLeft } from "./authority.ts";
import { renewCertificates } from "./certificates.ts";
import { type Layout, layOut } from "../data/layout.ts";
import { readCertificates } from "./pem.ts";

const publicName = "localhost";
const start = Date.UTC(2030, 0, 1);
let data = "";
let layout: Layout;

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "sallyport-certificates-"));
  layout = layOut(data);
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

const renewOn = (day: number, options = {}) =>
  renewCertificates(layout, { publicName, now: start + day * dayMs, ...options });
const policy = (name: string): string => join(layout.folder("policy"), name);
const edge = (name: string): string => join(layout.folder("gateway"), name);
const meshCa = () => join(layout.authorities, "mesh", "ca.pem");
const edgeCa = () => join(layout.authorities, "edge", "ca.pem");

async function isTrusted(leaf: X509Certificate, anchors: readonly X509Certificate[], now: number) {
  for (const anchor of anchors) {
    const key = { publicKey: anchor.publicKey, date: new Date(now) };
    if (daysLeft(anchor, now) > 0 && (await leaf.verify(key))) return true;
  }
  return false;
}

test("certificates are renewed with less than 60 days left, key and certificate as a pair", async () => {
  await renewOn(0);
  const first = readFileSync(policy("policy.pem"), "utf8");
  expect((await renewOn(304)).renewed).toEqual([]);
  expect(readFileSync(policy("policy.pem"), "utf8")).toBe(first);
  const { renewed, warnings } = await renewOn(306);
  expect(renewed).toHaveLength(8); // six processes, the operator, the edge
  expect(warnings).toEqual([]);
  expect(readFileSync(policy("policy.pem"), "utf8")).not.toBe(first);
  for (const [cert, key] of [
    [policy("policy.pem"), policy("policy.key")],
    [edge("edge.pem"), edge("edge.key")],
  ] as const)
    createSecureContext({ cert: readFileSync(cert), key: readFileSync(key) });
  expect((await renewOn(307)).renewed).toEqual([]);
  expect((await renewOn(307, { anyway: true })).renewed).toHaveLength(8);
});

test("every file ends its last line, so that two of them joined are both", async () => {
  await renewOn(0);
  await renewOn(1, { authorities: true });
  for (const file of [
    meshCa(),
    edgeCa(),
    policy("policy.pem"),
    policy("policy.key"),
    edge("edge.pem"),
  ])
    expect(readFileSync(file, "utf8"), file).toMatch(/[^\n]\n$/);
  const joined = join(data, "joined.pem");
  writeFileSync(joined, readFileSync(edgeCa(), "utf8") + readFileSync(meshCa(), "utf8"));
  const all = [edgeCa(), meshCa()]
    .flatMap(readCertificates)
    .map(({ serialNumber }) => serialNumber);
  expect(readCertificates(joined).map(({ serialNumber }) => serialNumber)).toEqual(all);
  const broken = join(data, "broken.pem");
  writeFileSync(broken, readFileSync(edgeCa(), "utf8").trimEnd() + readFileSync(meshCa(), "utf8"));
  expect(readCertificates(broken).map(({ serialNumber }) => serialNumber)).toEqual(all);
  const blocks = readFileSync(joined, "utf8").match(/^-----BEGIN CERTIFICATE-----$/gm);
  expect(blocks).toHaveLength(all.length);
});

// In the years before the last the authority is the same; around its end every few days count.
const days = [
  ...Array.from({ length: 71 }, (_, index) => index * 50),
  ...Array.from({ length: 50 }, (_, index) => 3550 + index * 4),
];

test("past an authority's ten years everybody is trusted, also by those who are a month behind", async () => {
  const trusted: { day: number; anchors: X509Certificate[] }[] = [];
  const warned = new Set<string>();
  for (const day of days) {
    const now = start + day * dayMs;
    const { warnings } = await renewOn(day);
    warnings.forEach((warning) => warned.add(warning.replace(/\d+ days/, "N days")));
    expect(readFileSync(policy("ca.pem"), "utf8")).toBe(readFileSync(meshCa(), "utf8"));
    trusted.push({ day, anchors: readCertificates(meshCa()) });
    const [leaf] = readCertificates(policy("policy.pem"));
    if (leaf === undefined) throw new Error("policy has no certificate");
    expect(daysLeft(leaf, now)).toBeGreaterThan(1);
    for (const earlier of trusted.filter((known) => known.day >= day - 30))
      expect(await isTrusted(leaf, earlier.anchors, now), `day ${day}`).toBe(true);
  }
  expect([...warned].join("\n")).toMatch(
    /the authority of .*mesh ends in N days; its successor is in/,
  );
  expect(readCertificates(meshCa())).toHaveLength(1);
  expect(readCertificates(edgeCa())[0]?.notAfter.getTime()).toBeGreaterThan(
    start + 19 * 365 * dayMs,
  );
}, 120_000);

test("a renewal that was cut off between key and certificate is made good by the next", async () => {
  await renewOn(0);
  copyFileSync(edge("edge.key"), policy("policy.key"));
  expect((await renewOn(1)).renewed).toEqual([policy("policy.pem")]);
});

test("a start after everything has ended makes it good again", async () => {
  await renewOn(0);
  await renewOn(12 * 365);
  const [leaf] = readCertificates(edge("edge.pem"));
  const now = start + 12 * 365 * dayMs;
  expect(leaf && (await isTrusted(leaf, readCertificates(edgeCa()), now))).toBe(true);
});

test("an authority whose key is elsewhere is left alone, and what ends is told in time", async () => {
  await renewOn(0);
  const mesh = join(layout.authorities, "mesh");
  renameSync(join(mesh, "ca.key"), join(data, "elsewhere.key"));
  expect(await renewOn(300)).toEqual({ renewed: [], warnings: [] });
  const { renewed, warnings } = await renewOn(310);
  expect(renewed).toEqual([edge("edge.pem")]);
  expect(warnings).toHaveLength(7);
  expect(warnings[0]).toMatch(/audit\.pem ends in 55 days: put .*ca\.key back and start$/);
  renameSync(join(data, "elsewhere.key"), join(mesh, "ca.key"));
  expect((await renewOn(311)).renewed).toHaveLength(7);
});

test("a successor is made on demand, and takes over on demand", async () => {
  await renewOn(0);
  const before = readCertificates(meshCa());
  expect((await renewOn(1, { authorities: true })).renewed).toEqual([
    "authority mesh",
    "authority edge",
  ]);
  expect(readCertificates(meshCa())).toHaveLength(2);
  expect(readCertificates(meshCa())[0]?.equal(before[0] as X509Certificate)).toBe(true);
  expect((await renewOn(2)).renewed).toEqual([]);
  expect((await renewOn(2, { authorities: true })).renewed).toHaveLength(2 + 8);
  const [leaf] = readCertificates(policy("policy.pem"));
  expect(leaf && (await isTrusted(leaf, before, start + 2 * dayMs))).toBe(false);
  expect(leaf && (await isTrusted(leaf, readCertificates(meshCa()), start + 2 * dayMs))).toBe(true);
});
