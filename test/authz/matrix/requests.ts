import { newSecretId } from "@sallyport/proto/signing";
import { randomBytes } from "node:crypto";
import type { DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Signer,
  type TrustedKeys,
  newSeed,
  newTokenSecret,
  proveRenewal,
  proveToken,
  sealValue,
} from "@sallyport/client";
import { AuditService } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Role, ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { MachineService } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { VaultService } from "@sallyport/proto/gen/sallyport/identity/v1/vault_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { MembershipService } from "@sallyport/proto/gen/sallyport/policy/v1/membership_pb.ts";
import {
  ProjectRole,
  ProjectRoleService,
} from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { SealingService } from "@sallyport/proto/gen/sallyport/policy/v1/sealing_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { nameOf } from "./methods.ts";
import type { Things, Vault } from "./vault.ts";

/** Who asks, as far as a request says so. */
export type Asker = {
  readonly signer: Signer;
  readonly principalId: string;
  readonly vaultId: string;
};

/** One way of asking: which things the request names, and how it is made. */
export type Way = {
  readonly names: readonly (keyof Things)[];
  readonly ask: (things: Things, asker: Asker, keys: TrustedKeys) => object | Promise<object>;
  /**
   * What has to be true of a vault for the request to be done, put right before each that should
   * be.
   */
  readonly before?: (vault: Vault) => Promise<unknown>;
  /** What the request ends is the key that signs it: a second key of the caller is used up. */
  readonly lastUse?: true;
  /** It can be done only once, and is in another way. */
  readonly spent?: true;
};

type Typed<M extends DescMethodUnary> = Omit<Way, "ask"> & {
  readonly ask: (
    things: Things,
    asker: Asker,
    keys: TrustedKeys,
  ) => MessageInitShape<M["input"]> | Promise<MessageInitShape<M["input"]>>;
};

type Row = readonly [name: string, ways: Readonly<Record<string, Way>>];

function of<M extends DescMethodUnary>(method: M, ways: Readonly<Record<string, Typed<M>>>): Row {
  return [nameOf(method), ways];
}
function naming<M extends DescMethodUnary, K extends keyof Things>(
  method: M,
  name: K,
  ask: (value: Things[K]) => MessageInitShape<M["input"]>,
) {
  return of(method, { id: { names: [name], ask: (things) => ask(things[name]) } });
}
function plain<M extends DescMethodUnary>(method: M, ask: () => MessageInitShape<M["input"]>) {
  return of(method, { nothing: { names: [], ask } });
}

const lifetime = durationFromMs(600_000);
const { method: enrollment } = EnrollmentService;
const { method: machines } = MachineService;
const { method: users } = UserService;
const { method: grants } = GrantService;
const { method: memberships } = MembershipService;
const { method: projectRoles } = ProjectRoleService;
const { method: sealing } = SealingService;
const { method: projects } = ProjectService;
const { method: secrets } = SecretService;
const reads = ReadService.method;

function enrollRequest({ vaultId, token }: Things, { signer }: Asker) {
  const { publicKey, proof } = proveToken("enr", vaultId, token.seed, signer.publicKey);
  const admission = { case: "token", value: { tokenId: token.id, publicKey, proof } } as const;
  const named = { machineName: newId("mch").slice(4), hostname: "matrix" };
  return { vaultId, admission, machinePublicKey: signer.publicKey, ...named };
}
function redeemRequest({ vaultId, code }: Things, { signer }: Asker) {
  const { publicKey, proof } = proveToken("login", vaultId, code.seed, signer.publicKey);
  const ids = { vaultId, codeId: code.id, userName: newId("usr").slice(4) };
  return { ...ids, codePublicKey: publicKey, codeProof: proof, devicePublicKey: signer.publicKey };
}
async function newSecretRequest(
  { projectId, projectName }: Things,
  { principalId, vaultId }: Asker,
  keys: TrustedKeys,
) {
  const { secretId, idNonce } = newSecretId(vaultId);
  const name = `S_${newId("sec").slice(4)}`;
  const target = { vaultId, projectId, secretId, expectedVersion: 0, principalId };
  const names = { projectName, secretName: name };
  const value = await sealValue(Buffer.from("x"), ValueKind.SINGLE, { ...target, ...names }, keys);
  return { secretId, idNonce, projectId, name, value };
}
// An id that may exist somewhere, in the asker's own project: it says nothing of whether it does.
async function takenIdRequest(things: Things, asker: Asker, keys: TrustedKeys) {
  return {
    ...(await newSecretRequest(things, asker, keys)),
    name: "TAKEN",
    secretId: things.secretId,
  };
}

// Versions are counted here: every request that should be done is done, and in this order.
const versions = new Map<string, number>();
async function newVersionRequest(
  things: Things,
  { principalId, vaultId }: Asker,
  keys: TrustedKeys,
) {
  const { versionedId: secretId, versionedName: secretName, projectId, projectName } = things;
  const expectedVersion = versions.get(secretId) ?? 1;
  const target = {
    vaultId,
    projectId,
    secretId,
    expectedVersion,
    principalId,
    projectName,
    secretName,
  };
  const value = await sealValue(Buffer.from("x"), ValueKind.SINGLE, target, keys);
  return { secretId, projectId, expectedVersion, value };
}
async function countVersion({ client, things: { versionedId } }: Vault): Promise<void> {
  const { secret } = await client.services.secrets.getSecret({ secretId: versionedId });
  versions.set(versionedId, secret?.currentVersion ?? 0);
}

function rollbackRequest({ versionedId: secretId, projectId }: Things) {
  const expectedVersion = Math.max(2, versions.get(secretId) ?? 0);
  return { secretId, projectId, expectedVersion, toVersion: 1 };
}
async function countTwoVersions(vault: Vault): Promise<void> {
  await countVersion(vault);
  const { versionedId: secretId, versionedName: name, projectId, projectName } = vault.things;
  if (versions.get(secretId) !== 1) return;
  const place = { secretId, name, projectId, projectName };
  await vault.client.addVersion({ ...place, expectedVersion: 1, plaintext: Buffer.from("second") });
  await countVersion(vault);
}

/** How each public method is asked, by its name and by how it names things. */
export const requests: Readonly<Record<string, Readonly<Record<string, Way>>>> = Object.fromEntries<
  Row[1]
>([
  of(reads.readSecrets, {
    ids: {
      names: ["secretId"],
      ask: ({ secretId }) => ({ secretIds: [secretId], allOrNothing: true }),
    },
    project: { names: ["projectId"], ask: ({ projectId }) => ({ projectId }) },
    granted: { names: [], ask: () => ({ allGranted: true }) },
  }),
  of(reads.listReadableSecrets, {
    nothing: { names: [], ask: () => ({}) },
    project: { names: ["projectId"], ask: ({ projectId }) => ({ projectId }) },
  }),
  plain(reads.getKeyset, () => ({})),

  of(enrollment.enroll, {
    token: { names: ["token"], ask: enrollRequest },
    vault: { names: ["vaultId"], ask: enrollRequest },
  }),
  of(enrollment.createToken, {
    scope: {
      names: ["projectId", "secretId"],
      ask: ({ projectId, secretId }) => ({
        tokenKeySha256: newTokenSecret().publicKeySha256,
        projectIds: [projectId],
        secretIds: [secretId],
        tokenLifetime: lifetime,
        machineLifetime: lifetime,
        maxUses: 1,
      }),
    },
  }),
  naming(enrollment.getToken, "doomedTokenId", (tokenId) => ({ tokenId })),
  plain(enrollment.listTokens, () => ({})),
  naming(enrollment.revokeToken, "doomedTokenId", (tokenId) => ({ tokenId })),

  naming(machines.getMachine, "machineId", (machineId) => ({ machineId })),
  naming(machines.batchGetMachines, "machineId", (machineId) => ({ machineIds: [machineId] })),
  of(machines.listMachines, {
    nothing: { names: [], ask: () => ({}) },
    token: { names: ["doomedTokenId"], ask: ({ doomedTokenId }) => ({ tokenId: doomedTokenId }) },
  }),
  naming(machines.renameMachine, "machineId", (machineId) => ({
    machineId,
    name: newId("mch").slice(4),
  })),
  naming(machines.disableMachine, "machineId", (machineId) => ({ machineId })),
  naming(machines.enableMachine, "machineId", (machineId) => ({ machineId })),
  naming(machines.revokeMachine, "doomedId", (machineId) => ({ machineId })),

  of(users.redeemLoginCode, {
    code: { names: ["code"], ask: redeemRequest },
    vault: { names: ["vaultId"], ask: redeemRequest, spent: true },
  }),
  plain(users.whoAmI, () => ({})),
  of(users.signOut, { nothing: { names: [], ask: () => ({}), lastUse: true } }),
  of(users.renewDevice, {
    nothing: {
      names: [],
      ask: (_, { signer, vaultId }) => proveRenewal(vaultId, signer.publicKey, newSeed()),
    },
  }),
  plain(users.createDeviceCode, () => ({ codeKeySha256: randomBytes(32), lifetime })),
  plain(users.createLoginCode, () => ({
    codeKeySha256: randomBytes(32),
    role: Role.OWNER,
    lifetime,
  })),
  plain(users.listLoginCodes, () => ({})),
  naming(users.revokeLoginCode, "doomedCodeId", (codeId) => ({ codeId })),
  naming(users.getUser, "userId", (userId) => ({ userId })),
  plain(users.listUsers, () => ({})),
  naming(users.removeUser, "doomedUserId", (userId) => ({ userId })),
  naming(users.revokeDevice, "deviceId", (keyId) => ({ keyId })),

  plain(VaultService.method.getVault, () => ({})),
  plain(VaultService.method.createVault, () => ({
    name: newId("vlt"),
    ownerCodeKeySha256: randomBytes(32),
  })),

  of(grants.addGrant, {
    pair: {
      names: ["machineId", "secretId"],
      ask: pairOf,
      before: ({ client, things }) => client.services.grants.removeGrant(pairOf(things)),
    },
  }),
  of(grants.removeGrant, {
    pair: {
      names: ["machineId", "secretId"],
      ask: pairOf,
      before: ({ client, things }) => client.services.grants.addGrant(pairOf(things)),
    },
  }),
  of(grants.setGrants, {
    scope: {
      names: ["machineId", "projectId", "secretId"],
      ask: ({ machineId, projectId, secretId }) => ({
        machineId,
        projectId,
        secretIds: [secretId],
      }),
    },
  }),
  naming(grants.listGrantsByMachine, "machineId", (machineId) => ({ machineId })),
  naming(grants.listGrantsBySecret, "secretId", (secretId) => ({ secretId })),
  naming(grants.countGrants, "machineId", (machineId) => ({ machineIds: [machineId] })),

  of(memberships.addMembership, {
    pair: {
      names: ["machineId", "projectId"],
      ask: seatOf,
      before: ({ client, things }) => client.services.memberships.removeMembership(seatOf(things)),
    },
  }),
  of(memberships.removeMembership, {
    pair: {
      names: ["machineId", "projectId"],
      ask: seatOf,
      before: ({ client, things }) => client.services.memberships.addMembership(seatOf(things)),
    },
  }),
  naming(memberships.listMemberships, "projectId", (projectId) => ({ projectId })),
  naming(memberships.listMembershipsByMachine, "machineId", (machineId) => ({ machineId })),

  of(projectRoles.setProjectRole, {
    project: {
      names: ["projectId"],
      ask: (things) => ({ ...roleOf(things), role: ProjectRole.WRITER }),
      before: ({ client, things }) =>
        client.services.projectRoles.setProjectRole({ ...roleOf(things), role: ProjectRole.NONE }),
    },
  }),
  of(projectRoles.removeProjectRole, {
    project: {
      names: ["projectId"],
      ask: roleOf,
      before: ({ client, things }) =>
        client.services.projectRoles.setProjectRole({ ...roleOf(things), role: ProjectRole.NONE }),
    },
  }),
  naming(projectRoles.listProjectRoles, "projectId", (projectId) => ({ projectId })),
  naming(projectRoles.listProjectRolesByUser, "userId", (userId) => ({ userId })),
  plain(projectRoles.listOwnProjectRoles, () => ({})),
  naming(projectRoles.countProjectRoles, "userId", (userId) => ({ userIds: [userId] })),

  // Unset in the end: the reads here are not sealed.
  of(sealing.setVaultSealing, {
    nothing: {
      names: [],
      ask: () => ({ required: false }),
      before: ({ client }) => client.services.sealing.setVaultSealing({ required: true }),
    },
  }),
  plain(sealing.getVaultSealing, () => ({})),
  of(sealing.setSecretSealing, {
    id: {
      names: ["secretId"],
      ask: ({ secretId }) => ({ secretId, required: false }),
      before: ({ client, things: { secretId } }) =>
        client.services.sealing.setSecretSealing({ secretId, required: true }),
    },
  }),
  of(sealing.listSealedSecrets, {
    nothing: { names: [], ask: () => ({}) },
    project: { names: ["projectId"], ask: ({ projectId }) => ({ projectId }) },
  }),

  plain(projects.createProject, () => ({ name: newId("prj").slice(4) })),
  of(projects.getProject, {
    id: {
      names: ["projectId"],
      ask: ({ projectId }) => ({ key: { case: "projectId" as const, value: projectId } }),
    },
    name: {
      names: ["projectName"],
      ask: ({ projectName }) => ({ key: { case: "name" as const, value: projectName } }),
    },
  }),
  plain(projects.listProjects, () => ({ showDeleted: true })),
  of(projects.deleteProject, {
    id: {
      names: ["emptyId"],
      ask: ({ emptyId, emptyName }) => ({ projectId: emptyId, name: emptyName }),
    },
  }),
  naming(projects.restoreProject, "emptyId", (projectId) => ({ projectId })),

  of(secrets.createSecret, {
    project: { names: ["projectId"], ask: newSecretRequest },
    id: { names: ["secretId"], ask: takenIdRequest, spent: true },
  }),
  of(secrets.getSecret, {
    id: { names: ["secretId"], ask: ({ secretId }) => ({ secretId, showDeleted: true }) },
    name: {
      names: ["projectId"],
      ask: ({ projectId, secretName }) => ({ projectId, name: secretName }),
    },
  }),
  naming(secrets.batchGetSecrets, "secretId", (secretId) => ({ secretIds: [secretId] })),
  naming(secrets.listSecrets, "projectId", (projectId) => ({ projectId })),
  naming(secrets.updateSecret, "secretId", (secretId) => ({ secretId, note: newId("sec") })),
  naming(secrets.deleteSecret, "binId", (secretId) => ({ secretId })),
  naming(secrets.restoreSecret, "binId", (secretId) => ({ secretId })),
  of(secrets.addVersion, {
    pair: { names: ["versionedId", "projectId"], ask: newVersionRequest, before: countVersion },
  }),
  of(secrets.rollbackSecret, {
    pair: { names: ["versionedId", "projectId"], ask: rollbackRequest, before: countTwoVersions },
  }),
  naming(secrets.listVersions, "secretId", (secretId) => ({ secretId })),

  of(AuditService.method.listRecords, {
    nothing: { names: [], ask: () => ({}) },
    machine: { names: ["machineId"], ask: ({ machineId }) => ({ machineId }) },
  }),
  naming(AuditService.method.getRecord, "eventId", (eventId) => ({ eventId })),
]);

function pairOf({ machineId, secretId }: Things) {
  return { machineId, secretId };
}
function roleOf({ userId, projectId }: Things) {
  return { userId, projectId };
}
function seatOf({ machineId, projectId }: Things) {
  return { machineId, projectId };
}
