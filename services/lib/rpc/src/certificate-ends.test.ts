import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTestPki } from "@sallyport/test/infra";
import { expect, test } from "vitest";
import { certificateEnds } from "./index.ts";

const dayMs = 86_400_000;
const daysOf = ({ notAfter }: { notAfter: Date }) => Math.round((notAfter.getTime() - Date.now()) / dayMs);

test("a chain ends with its first to end, authorities with the last of them", async () => {
  await using pki = await createTestPki();
  const { certFile, caFile } = pki.tls("gateway");
  const both = join(pki.dir, "both.pem");
  writeFileSync(both, readFileSync(certFile));
  appendFileSync(both, readFileSync(caFile));
  const ends = certificateEnds([
    { file: certFile, kind: "chain" },
    { file: caFile, kind: "authorities" },
    { file: both, kind: "chain" },
    { file: both, kind: "authorities" },
  ]);
  expect(ends.map(daysOf)).toEqual([365, 3650, 365, 3650]);
  expect(ends[0]).toMatchObject({ file: certFile, kind: "chain" });
});

test("a file without a certificate, or that is missing, is no answer", async () => {
  await using pki = await createTestPki();
  const { keyFile, certFile } = pki.tls("gateway");
  expect(() => certificateEnds([{ file: keyFile, kind: "chain" }])).toThrow("holds no certificate");
  expect(() => certificateEnds([{ file: `${certFile}.none`, kind: "chain" }])).toThrow(/ENOENT/);
});
