import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { expect, test } from "vitest";
import { EnvelopeError, newKey } from "@sallyport/proto/keyring";
import {
  type EnvelopeBinding,
  maxPlaintextBytes,
  openEnvelope,
  outlineEnvelope,
  sealEnvelope,
} from "./envelope.ts";

const binding: EnvelopeBinding = {
  vaultId: `vlt_${"a".repeat(20)}`,
  projectId: `prj_${"b".repeat(20)}`,
  secretId: `sec_${"c".repeat(20)}`,
  version: 1,
};
const projectKey = { generation: 1, key: newKey() };
const plaintext = Buffer.from("small");

test("opens under its binding, with its kind", () => {
  const envelope = sealEnvelope(plaintext, ValueKind.FIELDS, binding, projectKey);
  expect(openEnvelope(envelope, binding, projectKey)).toEqual({
    kind: ValueKind.FIELDS,
    plaintext,
  });
  expect(outlineEnvelope(envelope)).toEqual({
    kind: ValueKind.FIELDS,
    generation: 1,
    plaintextBytes: 5,
  });
});

test("no envelope opens after any single bit changed", () => {
  const envelope = sealEnvelope(plaintext, ValueKind.SINGLE, binding, projectKey);
  for (let bit = 0; bit < envelope.length * 8; bit += 1) {
    const changed = Uint8Array.from(envelope, (byte, at) =>
      at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte,
    );
    expect(() => openEnvelope(changed, binding, projectKey), `bit ${bit}`).toThrow(EnvelopeError);
  }
});

test("no envelope opens after it was cut anywhere", () => {
  const envelope = sealEnvelope(plaintext, ValueKind.SINGLE, binding, projectKey);
  for (let length = 0; length < envelope.length; length += 1)
    expect(() => openEnvelope(envelope.subarray(0, length), binding, projectKey)).toThrow(
      EnvelopeError,
    );
});

test.each([
  { name: "another vault", to: { vaultId: `vlt_${"d".repeat(20)}` } },
  { name: "another project", to: { projectId: `prj_${"d".repeat(20)}` } },
  { name: "another secret", to: { secretId: `sec_${"d".repeat(20)}` } },
  { name: "another version", to: { version: 2 } },
])("does not open in $name", ({ to }) => {
  const envelope = sealEnvelope(plaintext, ValueKind.SINGLE, binding, projectKey);
  expect(() => openEnvelope(envelope, { ...binding, ...to }, projectKey)).toThrow(EnvelopeError);
});

test("seals 64 KiB and not a byte more", () => {
  const longest = new Uint8Array(maxPlaintextBytes);
  const envelope = sealEnvelope(longest, ValueKind.SINGLE, binding, projectKey);
  expect(openEnvelope(envelope, binding, projectKey).plaintext.length).toBe(maxPlaintextBytes);
  expect(() =>
    sealEnvelope(new Uint8Array(maxPlaintextBytes + 1), ValueKind.SINGLE, binding, projectKey),
  ).toThrow(new EnvelopeError("a plaintext has at most 65,536 bytes"));
});

test("an envelope that is too long for any plaintext is refused for its length", () => {
  const envelope = sealEnvelope(
    new Uint8Array(maxPlaintextBytes),
    ValueKind.SINGLE,
    binding,
    projectKey,
  );
  expect(envelope).toHaveLength(65_633);
  expect(outlineEnvelope(envelope).plaintextBytes).toBe(maxPlaintextBytes);
  const longer = Buffer.concat([envelope, Uint8Array.of(0)]);
  expect(() => outlineEnvelope(longer)).toThrow(
    new EnvelopeError("an envelope has 97 to 65,633 bytes"),
  );
});

test("the same value twice shares no bytes after the header", () => {
  const [first, second] = [0, 1].map(() =>
    Buffer.from(sealEnvelope(plaintext, ValueKind.SINGLE, binding, projectKey)),
  );
  expect(first?.subarray(9, 69).equals(second?.subarray(9, 69) ?? Buffer.alloc(0))).toBe(false);
  expect(first?.subarray(69).equals(second?.subarray(69) ?? Buffer.alloc(0))).toBe(false);
});
