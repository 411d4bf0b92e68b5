import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newSeed } from "@sallyport/client";
import { createTestPki, issueShortCertificate, keysOfEveryUse } from "@sallyport/test/infra";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { filesOf, renewKeyset, signSigner } from "../keyset/index.ts";
import { checkData } from "./data.ts";

const dayMs = 86_400_000;
let scratch: string;
let data: string;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "sallyport-doctor-"));
  const made = join(scratch, "made");
  mkdirSync(join(made, "gateway"), { recursive: true });
  const rootKeyFile = join(scratch, "root.key");
  writeFileSync(rootKeyFile, Buffer.from(newSeed()).toString("base64"), { mode: 0o600 });
  const dir = join(made, "keyset");
  mkdirSync(dir);
  const nowMs = Date.now();
  await signSigner({ dir, rootKeyFile, days: 365, nowMs });
  const copies = [join(made, "gateway", "keyset.bin")];
  await renewKeyset({ dir, days: 7, nowMs, keys: keysOfEveryUse, copies });
  await using pki = await createTestPki();
  for (const name of ["certFile", "caFile"] as const)
    cpSync(
      pki.tls("gateway")[name],
      join(made, "gateway", name === "caFile" ? "ca.pem" : "gateway.pem"),
    );
});
beforeEach(() => {
  data = join(scratch, "data");
  cpSync(join(scratch, "made"), data, { recursive: true });
});
afterEach(() => rmSync(data, { recursive: true, force: true }));
afterAll(() => rmSync(scratch, { recursive: true }));

const containing = (text: string): unknown => expect.stringContaining(text);

const found = async (days = 0) =>
  (await checkData(data, Date.now() + days * dayMs)).map(({ check, status, detail, fix }) => ({
    check,
    status,
    text: `${detail} → ${fix ?? ""}`,
  }));

describe("what ends in a data directory", () => {
  test("is far away in a new one", async () => {
    expect(await found()).toMatchObject([
      { check: "root", status: "ok" },
      {
        check: "certificates",
        status: "ok",
        text: expect.stringMatching(
          /2 files; the first to end is gateway\/gateway.pem in 36/,
        ) as unknown,
      },
    ]);
  });

  test("is told 60 days before, with what to do", async () => {
    expect((await found(304)).filter(({ check }) => check === "certificates")).toMatchObject([
      { status: "ok" },
    ]);
    expect(await found(306)).toMatchObject([
      { check: "root", status: "warn", text: containing("keyset sign") },
      { check: "certificates", status: "warn", text: containing("gateway/gateway.pem ends in") },
    ]);
  });

  test("is a fault when it has come", async () => {
    const bad = (await found(366)).filter(({ status }) => status === "bad");
    expect(bad).toMatchObject([{ text: containing("gateway/gateway.pem has ended") }]);
    expect((await found(3_649)).map(({ text }) => text).join()).toContain("gateway/ca.pem ends in");
  });

  test("counts the last third of a life of days", async () => {
    const { certFile } = await issueShortCertificate(join(scratch, "short"), 9);
    cpSync(certFile, join(data, "gateway", "edge.pem"));
    expect((await found(5)).map(({ text }) => text).join()).not.toContain("edge.pem ends");
    expect((await found(7)).map(({ text }) => text).join()).toContain("edge.pem ends in");
  });

  test("shows a process whose keyset is not the newest one", async () => {
    const dir = join(data, "keyset");
    await renewKeyset({ dir, days: 7, nowMs: Date.now() });
    expect(await found()).toContainEqual({
      check: "root",
      status: "warn",
      text: containing("gateway/keyset.bin is not the newest keyset → sallyport keyset renew"),
    });
  });

  test("is refused where there is none, or what is there is damaged", async () => {
    expect(await checkData(join(scratch, "none"))).toMatchObject([
      { check: "data", status: "bad" },
    ]);
    mkdirSync(join(scratch, "empty"), { recursive: true });
    expect(await checkData(join(scratch, "empty"))).toMatchObject([
      { check: "data", status: "bad" },
    ]);
    writeFileSync(join(data, "gateway", "gateway.pem"), "no PEM");
    expect(await found()).toContainEqual(
      expect.objectContaining({ status: "bad", text: containing("holds no certificate") }),
    );
    writeFileSync(filesOf(join(data, "keyset")).keyset, "no keyset");
    expect(await found()).toContainEqual(
      expect.objectContaining({
        check: "root",
        status: "bad",
        text: containing("is no keyset"),
      }),
    );
    rmSync(filesOf(join(data, "keyset")).keyset);
    expect(await found()).toContainEqual(
      expect.objectContaining({
        check: "root",
        status: "bad",
        text: containing("there is no keyset"),
      }),
    );
  });
});
