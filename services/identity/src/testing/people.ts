import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { signEd25519 } from "@sallyport/evidence";
import type { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type RedeemLoginCodeResponse,
  UserService,
} from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { VaultService } from "@sallyport/proto/gen/sallyport/identity/v1/vault_pb.ts";
import { renewalStatement } from "@sallyport/proto/signing";
import { type TestKey, keySha256, newKey, prove } from "./signing.ts";
import type { World } from "./world.ts";

const { createDeviceCode, createLoginCode, redeemLoginCode } = UserService.method;

/** A login code with its secret half. */
export type TestCode = { readonly key: TestKey; readonly codeId: string; readonly vaultId: string };

/** A user with a device key under which the user signs. */
export type TestUser = TestKey & {
  readonly userId: string;
  readonly vaultId: string;
  readonly name: string;
};

let names = 0;

/** A name that no user has. */
export function newName(): string {
  names += 1;
  return `user-${names}`;
}

/** Makes a login code for a new user, good for a minute, as the owner. */
export async function makeLoginCode(
  world: World,
  role: Role,
  owner: TestKey & { readonly vaultId?: string } = world.owner,
): Promise<TestCode> {
  const key = newKey();
  const request = { codeKeySha256: keySha256(key), role, lifetime: durationFromMs(60_000) };
  const { loginCode } = await world.call(owner, createLoginCode, request);
  return { key, codeId: loginCode?.codeId ?? "", vaultId: owner.vaultId ?? world.vaultId };
}

/** Makes a login code for a further device of a user. */
export async function makeDeviceCode(world: World, user: TestUser): Promise<TestCode> {
  const key = newKey();
  const request = { codeKeySha256: keySha256(key), lifetime: durationFromMs(60_000) };
  const { loginCode } = await world.call(user, createDeviceCode, request);
  return { key, codeId: loginCode?.codeId ?? "", vaultId: user.vaultId };
}

/** Returns the request of an honest device with that key to redeem the code. */
export function redeemRequest(
  { key, codeId, vaultId }: TestCode,
  device: TestKey,
  userName = newName(),
) {
  return {
    vaultId,
    codeId,
    codePublicKey: key.publicKey,
    codeProof: prove("device", vaultId, key, device),
    devicePublicKey: device.publicKey,
    userName,
  };
}

/** Redeems a code with a device key. */
export function redeem(
  world: World,
  code: TestCode,
  device: TestKey,
  userName?: string,
): Promise<RedeemLoginCodeResponse> {
  return world.call(device, redeemLoginCode, redeemRequest(code, device, userName));
}

/** Invites and lets in a user of that role. */
export async function addUser(
  world: World,
  role: Role,
  owner: TestKey & { readonly vaultId?: string } = world.owner,
): Promise<TestUser> {
  return login(world, await makeLoginCode(world, role, owner));
}

/** Adds a device to a user; the key signs as that device. */
export async function addDevice(world: World, user: TestUser): Promise<TestUser> {
  return login(world, await makeDeviceCode(world, user), "");
}

/** Makes another vault and admits its owner. */
export async function addVault(world: World, name = "other"): Promise<TestUser> {
  const key = newKey();
  const request = { name, ownerCodeKeySha256: keySha256(key) };
  const { vault, codeId } = await world.call(world.owner, VaultService.method.createVault, request);
  return login(world, { key, codeId, vaultId: vault?.vaultId ?? "" });
}

/** Returns the request of a device to replace its key with a new one. */
export function renewRequest(user: TestUser, next: TestKey) {
  const statement = renewalStatement(user.vaultId, user.publicKey, next.publicKey);
  return { newPublicKey: next.publicKey, proof: signEd25519(next.seed, statement) };
}

async function login(world: World, code: TestCode, userName = newName()): Promise<TestUser> {
  const device = newKey();
  const { keyId, userId, vaultId, userName: name } = await redeem(world, code, device, userName);
  return { ...device, keyId, userId, vaultId, name };
}
