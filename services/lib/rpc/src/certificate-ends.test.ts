import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestPki, createTestPki, issueShortCertificate } from "@sallyport/test/infra";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { certificateEnd, certificateNotice } from "./certificate-ends.ts";

const dayMs = 86_400_000;
const daysTo = (timeMs: number): number => Math.round((timeMs - Date.now()) / dayMs);

let pki: TestPki;
let files: { readonly certFile: string; readonly keyFile: string; readonly caFile: string };
let both: string;
beforeAll(async () => {
  pki = await createTestPki();
  files = pki.tls("gateway");
  both = join(pki.dir, "both.pem");
  writeFileSync(both, readFileSync(files.certFile));
  appendFileSync(both, readFileSync(files.caFile));
});
afterAll(() => pki[Symbol.asyncDispose]());

test("a chain ends with its first to end, authorities with the last of them, and is near for 60 days", async () => {
  const { certFile, caFile } = files;
  const ends = await Promise.all([
    certificateEnd({ file: certFile, kind: "chain" }),
    certificateEnd({ file: caFile, kind: "authorities" }),
    certificateEnd({ file: both, kind: "chain" }),
    certificateEnd({ file: both, kind: "authorities" }),
  ]);
  expect(ends.map(({ notAfterMs }) => daysTo(notAfterMs))).toEqual([365, 3650, 365, 3650]);
  expect(ends.map(({ nearMs }) => daysTo(nearMs))).toEqual([305, 3590, 305, 3590]);
  expect(ends[0]).toMatchObject({ file: certFile, kind: "chain" });
});

test("a file without a certificate, or that is missing, is no answer", async () => {
  const { keyFile, certFile } = files;
  await expect(certificateEnd({ file: keyFile, kind: "chain" })).rejects.toThrow(
    "holds no certificate",
  );
  await expect(certificateEnd({ file: `${certFile}.none`, kind: "chain" })).rejects.toThrow(
    /ENOENT/,
  );
});

describe("the notice", () => {
  const noticeIn = (days: number, ...more: string[]) => {
    const all = [files.certFile, ...more].map((file) => ({ file, kind: "chain" }) as const);
    return certificateNotice(all, () => Date.now() + days * dayMs)();
  };

  test("is silent until 60 days before the first end", async () => {
    await expect(noticeIn(304)).resolves.toBeUndefined();
    await expect(noticeIn(306)).rejects.toThrow(`${files.certFile} ends at `);
    await expect(noticeIn(400)).rejects.toThrow("renew it");
    await expect(noticeIn(304, both)).resolves.toBeUndefined();
  });

  test("is given for a file that went", async () => {
    await expect(noticeIn(0, `${files.certFile}.none`)).rejects.toThrow("ENOENT");
  });

  test("is given in the last third of a certificate of hours", async () => {
    const { certFile } = await issueShortCertificate(join(pki.dir, "short"), 1);
    const short = await certificateEnd({ file: certFile, kind: "chain" });
    expect(Math.round((short.notAfterMs - short.nearMs) / 3_600_000)).toBe(8);
  });
});
