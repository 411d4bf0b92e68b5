import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Endpoint,
  type Identity,
  type Sallyport,
  enroll,
  formatToken,
  login,
  newSeed,
  newTokenSecret,
  openSallyport,
} from "@sallyport/client";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { makeSecrets } from "../../system/deployment.ts";

/** A token or a login code that can be used: its id and the seed of its key. */
export type Admission = { readonly id: string; readonly seed: Uint8Array };

/**
 * What a request may name: things of a vault, each for the methods that may do to it what they
 * like.
 */
export type Things = {
  readonly vaultId: string;
  readonly projectId: string;
  readonly projectName: string;
  readonly secretId: string;
  readonly secretName: string;
  /** A project without secrets, and a secret, to delete and restore. */
  readonly emptyId: string;
  readonly emptyName: string;
  readonly binId: string;
  readonly versionedId: string;
  readonly versionedName: string;
  readonly machineId: string;
  /** A machine to end for good. */
  readonly doomedId: string;
  readonly token: Admission;
  readonly doomedTokenId: string;
  readonly code: Admission;
  readonly doomedCodeId: string;
  readonly userId: string;
  readonly deviceId: string;
  readonly doomedUserId: string;
  readonly eventId: string;
};

const lifetime = durationFromMs(600_000);

/** A vault with people, machines and things, made through the public face. */
export type Vault = {
  readonly owner: Identity;
  readonly client: Sallyport;
  readonly things: Things;
  /** Things of the same vault in another project, and of another machine that may read nothing. */
  readonly others: Pick<
    Things,
    "projectId" | "projectName" | "secretId" | "secretName" | "machineId"
  >;
  invite(role: Role, name: string): Promise<Identity>;
  /** Another device of the same person. */
  second(identity: Identity): Promise<Identity>;
  /** A machine that may read the first secret. */
  newMachine(name: string): Promise<Identity>;
};

/** Fills an owner's vault. */
export async function furnish(endpoint: Endpoint, owner: Identity): Promise<Vault> {
  const client = openSallyport(owner);
  const { rootFingerprint, vaultId } = owner;
  const label = vaultId.slice(4, 12);
  const projectName = `web-${label}`;
  const { projectId, ids } = await makeSecrets(client, projectName, {
    DB: "x",
    BIN: "x",
    VERSIONED: "x",
  });
  const elsewhere = await makeSecrets(client, `ops-${label}`, { [`OPS_${label}`]: "x" });
  const emptyName = `empty-${label}`;
  const { project: empty } = await client.services.projects.createProject({ name: emptyName });
  const text = (kind: "enr" | "login", { id, seed }: Admission) =>
    formatToken(kind, { id, vaultId, rootFingerprint, seed });

  async function newToken(project: string, secretIds: string[]): Promise<Admission> {
    const { seed, publicKeySha256 } = newTokenSecret();
    const request = {
      tokenKeySha256: publicKeySha256,
      projectIds: [project],
      secretIds,
      maxUses: 50,
    };
    const lifetimes = { tokenLifetime: lifetime, machineLifetime: lifetime };
    const { token } = await client.services.enrollment.createToken({ ...request, ...lifetimes });
    return { id: token?.tokenId ?? "", seed };
  }
  async function newCode(role: Role): Promise<Admission> {
    const { seed, publicKeySha256 } = newTokenSecret();
    const request = { codeKeySha256: publicKeySha256, role, lifetime };
    const { loginCode } = await client.services.users.createLoginCode(request);
    return { id: loginCode?.codeId ?? "", seed };
  }
  const invite = async (role: Role, name: string) =>
    login(endpoint, text("login", await newCode(role)), name);
  const token = await newToken(projectId, [ids["DB"] ?? ""]);
  const newMachine = (name: string) => enroll(endpoint, text("enr", token), { name });
  const user = await invite(Role.DEVELOPER, "spare");
  const doomed = await invite(Role.DEVELOPER, "doomed");
  const bare = await enroll(endpoint, text("enr", await newToken(elsewhere.projectId, [])), {
    name: "bare",
  });
  const [spare, ending] = [await newMachine("spare"), await newMachine("ending")];
  const { records } = await client.services.audit.listRecords({ pageSize: 1 });
  return {
    owner,
    client,
    invite,
    newMachine,
    async second(identity) {
      const { seed, publicKeySha256 } = newTokenSecret();
      const own = openSallyport(identity);
      const request = { codeKeySha256: publicKeySha256, lifetime };
      const { loginCode } = await own.services.users.createDeviceCode(request);
      own.close();
      return login(endpoint, text("login", { id: loginCode?.codeId ?? "", seed }), "");
    },
    things: {
      vaultId,
      projectId,
      projectName,
      secretId: ids["DB"] ?? "",
      secretName: "DB",
      emptyId: empty?.projectId ?? "",
      emptyName,
      binId: ids["BIN"] ?? "",
      versionedId: ids["VERSIONED"] ?? "",
      versionedName: "VERSIONED",
      machineId: spare.principalId,
      doomedId: ending.principalId,
      token,
      doomedTokenId: (await newToken(projectId, [])).id,
      code: await newCode(Role.DEVELOPER),
      doomedCodeId: (await newCode(Role.AUDITOR)).id,
      userId: user.principalId,
      deviceId: user.keyId,
      doomedUserId: doomed.principalId,
      eventId: records[0]?.eventId ?? "",
    },
    others: {
      projectId: elsewhere.projectId,
      projectName: `ops-${label}`,
      secretId: Object.values(elsewhere.ids)[0] ?? "",
      secretName: `OPS_${label}`,
      machineId: bare.principalId,
    },
  };
}

/** Things that are nowhere. */
export function absentThings(): Things {
  const admission = (): Admission => ({ id: newId("tok"), seed: newSeed() });
  const userId = newId("usr");
  return {
    vaultId: newId("vlt"),
    projectId: newId("prj"),
    projectName: `web-${newId("req").slice(4, 12)}`,
    secretId: newId("sec"),
    secretName: "DB",
    emptyId: newId("prj"),
    emptyName: `empty-${newId("req").slice(4, 12)}`,
    binId: newId("sec"),
    versionedId: newId("sec"),
    versionedName: "VERSIONED",
    machineId: newId("mch"),
    doomedId: newId("mch"),
    token: admission(),
    doomedTokenId: newId("tok"),
    code: admission(),
    doomedCodeId: newId("tok"),
    userId,
    deviceId: `${userId}.${newId("req").slice(4)}`,
    doomedUserId: newId("usr"),
    eventId: newId("evt"),
  };
}
