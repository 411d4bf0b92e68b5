import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { EnrollmentTokenSchema } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import type { Token } from "./store.ts";

/** A token as its vault's people see it. */
export function describeToken(token: Token): MessageInitShape<typeof EnrollmentTokenSchema> {
  const { tokenId, description, projectIds, secretIds, createdBy, createdByName } = token;
  const {
    maxUses,
    uses,
    sourceCidrs,
    hostnamePattern,
    machineNamePattern,
    anyVersion,
    revokeReason,
  } = token;
  return {
    tokenId,
    description,
    projectIds,
    secretIds,
    createdBy,
    createdByName,
    maxUses,
    uses,
    sourceCidrs,
    hostnamePattern,
    machineNamePattern,
    anyVersion,
    revokeReason,
    createdAt: timestampFromDate(token.createdAt),
    expiresAt: timestampFromDate(token.expiresAt),
    machineLifetime: durationFromMs(token.machineLifetimeMs),
    ...(token.lastUsedAt ? { lastUsedAt: timestampFromDate(token.lastUsedAt) } : {}),
    ...(token.revokedAt ? { revokedAt: timestampFromDate(token.revokedAt) } : {}),
  };
}
