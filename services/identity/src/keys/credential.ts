import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { credentialLifetimeMs, signCredential } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type CredentialClaimsSchema,
  PrincipalKind,
  Role,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import type { ResolvedKeySchema } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { endOf, standingOf } from "../devices/device-key.ts";
import { refusalOf, stateOf } from "../machines/state.ts";
import type { Machine } from "../machines/store.ts";
import { roleOf } from "../users/roles.ts";
import type { UserKey } from "../devices/store.ts";

/** The Ed25519 key that signs credentials: its id in the keyset and its 32-byte seed. */
export type CredentialKey = { readonly keyId: string; readonly seed: Uint8Array };

/** The inputs of a credential besides the principal: the key, the time and 16 random bytes. */
export type Issue = {
  readonly key: CredentialKey;
  readonly nowMs: number;
  readonly serial: Uint8Array;
};

type Resolved = MessageInitShape<typeof ResolvedKeySchema>;
type Bearer = Pick<
  MessageInitShape<typeof CredentialClaimsSchema>,
  "principalId" | "kind" | "vaultId" | "publicKey" | "keyId" | "role" | "originId"
>;

/**
 * The answer to the gateway for a machine's key: a credential, why there is none, or nothing before
 * it is active.
 */
export function resolveMachine(machine: Machine, issue: Issue): Resolved {
  const { machineId, vaultId, tokenId, publicKey, expiresAt } = machine;
  const refusal = refusalOf(stateOf(machine, issue.nowMs));
  if (refusal === undefined) return { keyId: machineId };
  if (refusal !== Reason.UNSPECIFIED) return { keyId: machineId, publicKey, refusal };
  const bearer: Bearer = {
    principalId: machineId,
    kind: PrincipalKind.MACHINE,
    vaultId,
    publicKey,
    keyId: machineId,
    role: Role.UNSPECIFIED,
    originId: tokenId ?? "",
  };
  return { keyId: machineId, publicKey, credential: issueCredential(bearer, expiresAt, issue) };
}

/**
 * The answer to the gateway for a user's device key: a credential, or that it was revoked or came
 * to its end.
 */
export function resolveUserKey(key: UserKey, issue: Issue): Resolved {
  const { keyId, userId, vaultId, publicKey, role } = key;
  const standing = standingOf(key, issue.nowMs);
  if (standing !== "active") return { keyId, publicKey, refusal: keyRefusals[standing] };
  const bearer: Bearer = {
    principalId: userId,
    kind: PrincipalKind.USER,
    vaultId,
    publicKey,
    keyId,
    role: roleOf(role),
  };
  return { keyId, publicKey, credential: issueCredential(bearer, endOf(key), issue) };
}

const keyRefusals = { revoked: Reason.MACHINE_DISABLED, expired: Reason.MACHINE_EXPIRED } as const;

// A credential outlives neither its minute nor the key that it speaks for.
function issueCredential(bearer: Bearer, keyExpiresAt: Date, { key, nowMs, serial }: Issue) {
  const expiresMs = Math.min(nowMs + credentialLifetimeMs, keyExpiresAt.getTime());
  const claims = {
    ...bearer,
    issuedAt: timestampFromMs(nowMs),
    expiresAt: timestampFromMs(expiresMs),
    serial,
  };
  return signCredential(claims, key);
}
