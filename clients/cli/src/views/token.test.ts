import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { EnrollmentTokenSchema } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { expect, test } from "vitest";
import { plainToken } from "./token.ts";

const nowMs = 1_000_000;

test.each([
  ["open", {}],
  ["exhausted", { uses: 3 }],
  ["expired", { uses: 3, expiresAt: timestampFromMs(nowMs) }],
  ["revoked", { uses: 3, expiresAt: timestampFromMs(nowMs), revokedAt: timestampFromMs(5) }],
])("a token is %s, in the order of the server's checks", (state, change) => {
  const base = { uses: 2, maxUses: 3, expiresAt: timestampFromMs(nowMs + 1), ...change };
  const token = create(EnrollmentTokenSchema, {
    ...base,
    machineLifetime: durationFromMs(1_800_000),
  });
  expect(plainToken(token, nowMs)).toMatchObject({ state, machineSeconds: 1800, lastUsedAt: null });
});
