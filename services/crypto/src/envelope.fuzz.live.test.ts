import { randomBytes } from "node:crypto";
import { corpusOf, fuzz, fuzzRun } from "@sallyport/test/infra";
import { expect, test } from "vitest";
import { EnvelopeError } from "@sallyport/proto/keyring";
import { isPlaintextKind, openEnvelope, outlineEnvelope, sealEnvelope } from "./envelope.ts";
import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";

const binding = { vaultId: "vlt_1", projectId: "prj_1", secretId: "sec_1", version: 1 };
const projectKey = { generation: 1, key: randomBytes(32) };
const plaintext = randomBytes(40);
const sealed = Buffer.from(sealEnvelope(plaintext, ValueKind.SINGLE, binding, projectKey));

/**
 * An outline is read only of what has the layout; an envelope opens only when not a bit of it was
 * changed.
 */
function accepts(input: Buffer): boolean {
  try {
    const { kind, plaintextBytes } = outlineEnvelope(input);
    if (
      !isPlaintextKind(kind) ||
      plaintextBytes !== input.length - (sealed.length - plaintext.length)
    )
      throw new Error("the outline is of another envelope");
    const opened = openEnvelope(input, binding, projectKey);
    if (!input.equals(sealed) || !plaintext.equals(opened.plaintext))
      throw new Error("it opened, though changed");
    return true;
  } catch (error) {
    if (error instanceof EnvelopeError) return false;
    throw error;
  }
}

test("envelopes are opened as they were sealed, or refused in a typed way", async () => {
  const run = fuzzRun();
  const seeds = [sealed, ...corpusOf("envelope")];
  const { cases, read, grownBytes } = await fuzz(
    { name: "envelope", seeds, words: ["SPE1"], accepts },
    run,
  );
  console.log(`  envelope, seed ${run.seed}: ${cases} cases, ${read} read`);
  expect(read).toBeGreaterThan(0);
  expect(grownBytes).toBeLessThan(16 * 1024 * 1024);
}, 3_600_000);
