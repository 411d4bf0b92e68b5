import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { EnrollmentTokenSchema } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import type { MachineSchema } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { stateOf } from "./state.ts";
import type { FormerName } from "./name-store.ts";
import type { Machine } from "./store.ts";
import type { Sighting } from "../keys/sighting-store.ts";
import type { Token } from "../tokens/store.ts";

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

/** A machine as its vault's people see it at that time. */
export function describeMachine(
  machine: Machine,
  sighting: Sighting | undefined,
  formerNames: readonly FormerName[],
  nowMs: number,
): MessageInitShape<typeof MachineSchema> {
  const { machineId, name, hostname, tokenId, publicKey } = machine;
  return {
    machineId,
    name,
    hostname,
    tokenId: tokenId ?? "",
    publicKey,
    state: stateOf(machine, nowMs),
    createdAt: timestampFromDate(machine.createdAt),
    expiresAt: timestampFromDate(machine.expiresAt),
    keyCreatedAt: timestampFromDate(machine.createdAt),
    ...describeSighting(sighting),
    formerNames: formerNames.map(({ until, ...former }) => ({
      ...former,
      until: timestampFromDate(until),
    })),
  };
}

/**
 * Describes the last use of a key: time, address and program; empty for one that was never used.
 */
export function describeSighting(sighting: Sighting | undefined) {
  if (!sighting) return {};
  const { seenAt, sourceIp, client } = sighting;
  return { lastSeenAt: timestampFromDate(seenAt), lastSourceIp: sourceIp, client };
}
