import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type CreateTokenRequestSchema,
  type EnrollResponse,
  EnrollmentService,
} from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { PrincipalStatus } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type TestKey, keySha256, newKey, prove } from "./signing.ts";
import type { World } from "./world.ts";

const { createToken, enroll } = EnrollmentService.method;

/** An enrollment token with its secret half. */
export type TestToken = {
  readonly key: TestKey;
  readonly tokenId: string;
  readonly vaultId: string;
};

/** Options of a token; lifetimes in milliseconds, an hour unless given. */
export type TokenOptions = {
  /** Number of secrets that it grants; 1 unless given. */
  readonly secrets?: number;
  readonly maxUses?: number;
  readonly lifetimeMs?: number;
  readonly machineLifetimeMs?: number;
  readonly key?: TestKey;
  readonly description?: string;
  readonly restrictions?: Restrictions;
};

/** From where, for which hosts and under which names a token enrolls. */
export type Restrictions = Pick<
  MessageInitShape<typeof CreateTokenRequestSchema>,
  "sourceCidrs" | "hostnamePattern" | "machineNamePattern" | "anyVersion"
>;

/** The data that a machine sends when it enrolls, and its address. */
export type Saying = {
  readonly hostname?: string;
  readonly machineName?: string;
  readonly validateOnly?: boolean;
  readonly sourceIp?: string;
};

/**
 * Makes a project with a secret in policy, and a token for both, as the owner or another of the
 * vault.
 */
export async function makeToken(
  world: World,
  options: TokenOptions = {},
  maker: TestKey & { readonly vaultId?: string } = world.owner,
): Promise<TestToken> {
  const projectId = newId("prj");
  const secretIds = Array.from({ length: options.secrets ?? 1 }, () => newId("sec"));
  world.policy.projects.add(projectId);
  for (const secretId of secretIds) world.policy.secrets.set(secretId, projectId);
  world.policy.vaults.set(projectId, maker.vaultId ?? world.vaultId);
  const key = options.key ?? newKey();
  const { token } = await world.call(maker, createToken, {
    tokenKeySha256: keySha256(key),
    projectIds: [projectId],
    secretIds,
    tokenLifetime: durationFromMs(options.lifetimeMs ?? 3_600_000),
    machineLifetime: durationFromMs(options.machineLifetimeMs ?? 3_600_000),
    maxUses: options.maxUses ?? 1,
    description: options.description ?? "",
    ...options.restrictions,
  });
  return { key, tokenId: token?.tokenId ?? "", vaultId: maker.vaultId ?? world.vaultId };
}

/** The admission of a token with that key, and a proof by it. */
export function tokenAdmission(tokenId: string, { publicKey }: TestKey, proof: Uint8Array) {
  return { case: "token", value: { tokenId, publicKey, proof } } as const;
}

/** Returns the request of an honest machine with that key to enroll with the token. */
export function enrollRequest({ key, tokenId, vaultId }: TestToken, machine: TestKey) {
  return {
    vaultId,
    admission: tokenAdmission(tokenId, key, prove("machine", vaultId, key, machine)),
    machinePublicKey: machine.publicKey,
    hostname: "runner-1",
    machineName: "",
  };
}

/** Enrolls a key with the token. */
export function enrollKey(
  world: Pick<World, "call">,
  token: TestToken,
  machine: TestKey,
  { sourceIp, ...saying }: Saying = {},
): Promise<EnrollResponse> {
  return world.call(machine, enroll, { ...enrollRequest(token, machine), ...saying }, sourceIp);
}

/** Makes a token and a machine with it; the key signs as that machine. */
export async function makeMachine(world: World, options: TokenOptions = {}): Promise<TestKey> {
  const machine = newKey();
  const { machineId } = await enrollKey(world, await makeToken(world, options), machine);
  return { ...machine, keyId: machineId };
}

/**
 * Puts active machines of a token into the database, past every check, and returns their ids;
 * policy knows them too.
 */
export async function addMachines(
  world: World,
  { tokenId, vaultId }: TestToken,
  count: number,
  lifetimeMs = 3_600_000,
): Promise<string[]> {
  const machineIds = Array.from({ length: count }, () => newId("mch"));
  const times = [new Date(world.clock.nowMs), new Date(world.clock.nowMs + lifetimeMs)];
  await world.database.query(
    `insert into machines
       (machine_id, vault_id, token_id, public_key, name, hostname, state, created_at, expires_at,
        activated_at)
     select id, $2, $3, sha256(convert_to(id, 'UTF8')), 'm-' || right(id, 8), 'h', 'active', $4, $5,
       $4
       from unnest($1::text[]) as id`,
    [machineIds, vaultId, tokenId, ...times],
  );
  for (const machineId of machineIds)
    world.policy.principals.set(machineId, PrincipalStatus.ACTIVE);
  return machineIds;
}
