import { expect, test } from "vitest";
import { rootFinding } from "./remote.ts";

const dayMs = 86_400_000;

test.each([
  ["keyset and signer last", 7, 365, "ok", null],
  ["nobody renewed the keyset for five days", 1.9, 365, "warn", "keyset renew"],
  ["the signer ends in less than 60 days", 7, 59.9, "warn", "keyset sign"],
  ["both end soon", 1, 1, "warn", "keyset sign"],
] as const)("%s", (_, keysetDays, signerDays, status, fix) => {
  const nowMs = 1_800_000_000_000;
  const ends = {
    keysetNotAfterMs: nowMs + keysetDays * dayMs,
    signerNotAfterMs: nowMs + signerDays * dayMs,
  };
  const finding = rootFinding({ epoch: 3, ...ends }, nowMs);
  expect(finding.status).toBe(status);
  if (fix === null) expect(finding.fix).toBeNull();
  else expect(finding.fix).toContain(fix);
});
