import { hostname as systemHostname } from "node:os";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { createClock } from "../core/clock.ts";
import { toSallyportError } from "../core/errors.ts";
import type { Identity } from "./identity.ts";
import { newSeed } from "./keys.ts";
import { createSigner } from "./signer.ts";
import { parseToken, proveToken } from "./token.ts";
import type { Endpoint } from "./network/connection.ts";
import { type ConnectionOptions, createSignedTransport } from "./transport.ts";

/**
 * Options of an enrollment; a seed makes a retry use the same key, so that it does not consume a
 * second use.
 */
export type EnrollOptions = ConnectionOptions & {
  readonly name?: string;
  readonly hostname?: string;
  readonly seed?: Uint8Array;
};

/** Options of a login; a seed makes a retry use the same key. */
export type LoginOptions = ConnectionOptions & { readonly seed?: Uint8Array };

/** The machine that an enrollment token would enroll now. */
export type EnrollmentCheck = {
  readonly vaultId: string;
  readonly tokenId: string;
  /** The name that the machine would get; a name that the token generates differs each time. */
  readonly machineName: string;
  /** The expiry of a machine that is enrolled now (RFC 3339). */
  readonly expiresAt: string;
  readonly projectIds: readonly string[];
  readonly secretIds: readonly string[];
  /** Number of machines that the token can still enroll. */
  readonly usesLeft: number;
};

/**
 * Enrolls this process as a machine with an enrollment token. The token itself is never sent: its
 * key signs the new machine's key. Throws a SallyportError.
 */
export async function enroll(
  endpoint: Endpoint,
  tokenText: string,
  options: EnrollOptions = {},
): Promise<Identity> {
  const seed = options.seed ?? newSeed();
  const { token, answer, epoch } = await askToEnroll(
    endpoint,
    tokenText,
    { ...options, seed },
    false,
  );
  return {
    ...identityBase(endpoint, token, seed),
    keysetEpoch: epoch,
    principalId: answer.machineId,
    keyId: answer.machineId,
    kind: "machine",
    tokenId: token.id,
    name: answer.machineName,
    expiresAt: textOf(answer.expiresAt),
  };
}

/**
 * Checks, on the server, an enrollment as `enroll` would request it, and returns its result: no
 * machine is made and no use is consumed. Throws a SallyportError with the reason for which the
 * enrollment would be refused.
 */
export async function checkEnrollment(
  endpoint: Endpoint,
  tokenText: string,
  options: EnrollOptions = {},
): Promise<EnrollmentCheck> {
  const seed = options.seed ?? newSeed();
  const { token, answer } = await askToEnroll(endpoint, tokenText, { ...options, seed }, true);
  const { machineName, projectIds, secretIds, usesLeft } = answer;
  const expiresAt = textOf(answer.expiresAt);
  return {
    vaultId: token.vaultId,
    tokenId: token.id,
    machineName,
    expiresAt,
    projectIds,
    secretIds,
    usesLeft,
  };
}

async function askToEnroll(
  endpoint: Endpoint,
  tokenText: string,
  { seed, ...options }: EnrollOptions & { readonly seed: Uint8Array },
  validateOnly: boolean,
) {
  const token = parseToken(tokenText, "enr");
  const { signer, transport, keeper, close } = openAsNewKey(endpoint, token, seed, options);
  const { publicKey, proof } = proveToken("enr", token.vaultId, token.seed, signer.publicKey);
  try {
    const answer = await createClient(EnrollmentService, transport).enroll({
      vaultId: token.vaultId,
      admission: { case: "token", value: { tokenId: token.id, publicKey, proof } },
      machinePublicKey: signer.publicKey,
      hostname: options.hostname ?? systemHostname(),
      machineName: options.name ?? "",
      validateOnly,
    });
    return { token, answer, epoch: keeper.epoch() };
  } catch (error) {
    throw toSallyportError(error);
  } finally {
    close();
  }
}

/**
 * Redeems a login code for a user's device identity. The name is a new user's; with a code for a
 * further device it is empty or the user's own. Throws a SallyportError.
 */
export async function login(
  endpoint: Endpoint,
  codeText: string,
  userName: string,
  options: LoginOptions = {},
): Promise<Identity> {
  const code = parseToken(codeText, "login");
  const seed = options.seed ?? newSeed();
  const { signer, transport, keeper, close } = openAsNewKey(endpoint, code, seed, options);
  const { publicKey, proof } = proveToken("login", code.vaultId, code.seed, signer.publicKey);
  try {
    const answer = await createClient(UserService, transport).redeemLoginCode({
      vaultId: code.vaultId,
      codeId: code.id,
      codePublicKey: publicKey,
      codeProof: proof,
      devicePublicKey: signer.publicKey,
      userName,
    });
    return {
      ...identityBase(endpoint, code, seed),
      keysetEpoch: keeper.epoch(),
      principalId: answer.userId,
      keyId: answer.keyId,
      kind: "user",
      name: answer.userName,
      expiresAt: textOf(answer.keyExpiresAt),
    };
  } catch (error) {
    throw toSallyportError(error);
  } finally {
    close();
  }
}

// The token or code pins the root: before a key is enrolled, the keyset has to be signed by that
// root.
function openAsNewKey(
  endpoint: Endpoint,
  { rootFingerprint }: { readonly rootFingerprint: string },
  seed: Uint8Array,
  options: ConnectionOptions,
) {
  const clock = createClock();
  const signer = createSigner(seed, undefined, clock.now);
  const pinned = { ...endpoint, rootFingerprint };
  return { signer, ...createSignedTransport(pinned, signer, "connect", { ...options, clock }) };
}

function identityBase(
  endpoint: Endpoint,
  token: { vaultId: string; rootFingerprint: string },
  seed: Uint8Array,
) {
  const { vaultId, rootFingerprint } = token;
  return { ...endpoint, vaultId, rootFingerprint, seed: Buffer.from(seed).toString("base64") };
}

function textOf(time: Timestamp | undefined): string {
  return time ? timestampDate(time).toISOString() : "";
}
