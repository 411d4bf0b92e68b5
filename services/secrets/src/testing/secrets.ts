import { newSecretId } from "@sallyport/proto/signing";
import { randomBytes } from "node:crypto";
import { createClient } from "@connectrpc/connect";
import { pickAnswerKey } from "@sallyport/evidence";
import { createOutbox } from "@sallyport/outbox";
import { type Database, migrate, openDatabase } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import {
  Role,
  SealingSuite,
  ValueKind,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import type { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { FetchService } from "@sallyport/proto/gen/sallyport/secrets/internal/v1/fetch_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { fail, failureOf } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import { createLiveness } from "../directory-sync.ts";
import { createPeers } from "../peers.ts";
import { createPurge } from "../purge.ts";
import { secretsRoutes } from "../server.ts";
import { createMemoryPeers, roleKey } from "./memory-peers.ts";
import {
  type SigningUser,
  callsForwarded,
  createServiceDatabase,
  createSignedDeployment,
  inMemory,
  newUser,
} from "@sallyport/test/infra";

/** The instant at which tests begin, in milliseconds. */
export const testStartMs = 1_800_000_000_000;

/**
 * Secrets on a real database, reached in memory, with peers in memory and a clock that a test may
 * move.
 */
export type TestSecrets = Awaited<ReturnType<typeof startTestSecrets>>;

/** Makes a database and serves secrets on it; disposing drops it. */
export async function startTestSecrets() {
  const urls = await createServiceDatabase("secrets");
  await migrate({ url: urls.ownerUrl, folder: new URL("../../migrations", import.meta.url) });
  const time = { nowMs: testStartMs };
  const clock = () => time.nowMs;
  const reads = openDatabase({ url: urls.servingUrl, applicationName: "test-secrets" });
  const crash: Crash = { at: undefined };
  const pool = openDatabase({
    url: urls.servingUrl,
    applicationName: "test-secrets-writes",
    poolSize: 5,
  });
  const writes = crashing(pool, crash);
  const memory = createMemoryPeers();
  const peers = createPeers(memory);
  const logger = createLogger({ service: "secrets", level: "silent" });
  const outbox = createOutbox({ database: reads, audit: peers.audit, logger });
  const deployment = createSignedDeployment(clock);
  const slipKeys = [{ keyId: "slip-1", key: new Uint8Array(32).fill(5) }];
  const { directory } = peers;
  const liveness = createLiveness({ reads, writes, directory });
  const trust = deployment.trust();
  const signing = {
    answerKey: () => pickAnswerKey(deployment.answerKeys("secrets"), "secrets", trust),
    slipKeys: () => slipKeys,
  };
  const parts = { reads, writes, outbox, peers, liveness, trust, ...signing, clock };
  const routes = secretsRoutes(deployment.config, parts);
  const transport = inMemory(routes);
  const forwarding = createClient(ForwardService, transport);
  return {
    time,
    crash,
    database: reads,
    ownerUrl: urls.ownerUrl,
    memory,
    slipKeys,
    deployment,
    forwarding,
    liveness,
    purge: createPurge({ writes, directory, outbox }),
    fetching: createClient(FetchService, transport),
    call: callsForwarded(deployment, forwarding),
    async [Symbol.asyncDispose]() {
      await outbox[Symbol.asyncDispose]();
      await reads[Symbol.asyncDispose]();
      await writes[Symbol.asyncDispose]();
      await urls[Symbol.asyncDispose]();
    },
  };
}

/**
 * Where the process dies, as seen from outside: with every change, or when all but the answer was
 * done.
 */
export type Crash = { at: "before commit" | "after commit" | undefined };

function crashing(database: Database, crash: Crash): Database {
  return {
    ...database,
    async transaction(run) {
      const result = await database.transaction(async (tx) => {
        const done = await run(tx);
        if (crash.at === "before commit") throw fail(Reason.DEPENDENCY_UNAVAILABLE);
        return done;
      });
      if (crash.at === "after commit") throw fail(Reason.DEPENDENCY_UNAVAILABLE);
      return result;
    },
  };
}

/** Dates a deletion back by 30 days and an hour, as only the owner of the tables can. */
export async function ageDeletion({ ownerUrl }: TestSecrets, id: string): Promise<void> {
  await using owner = openDatabase({ url: ownerUrl, applicationName: "test-owner" });
  const [table, key] = id.startsWith("prj_")
    ? ["projects", "project_id"]
    : ["secrets", "secret_id"];
  await owner.transaction(async (tx) => {
    await tx.query(`alter table ${table} disable trigger stamp_deletion`);
    await tx.query(
      `update ${table} set deleted_at = now() - interval '721 hours' where ${key} = $1`,
      [id],
    );
    await tx.query(`alter table ${table} enable trigger stamp_deletion`);
  });
}

/** A sealed value; no one but crypto could tell what is in it. */
export function sealedValue(kind: ValueKind = ValueKind.SINGLE) {
  return {
    suite: SealingSuite.HPKE_X25519_SHA256_AES256GCM,
    keyId: "sealing-1",
    encapsulatedKey: new Uint8Array([9, ...randomBytes(30), 0]),
    ciphertext: new Uint8Array(randomBytes(40)),
    kind,
  };
}

/** Makes a project of the user's vault and returns its id. */
export async function addTestProject(
  secrets: TestSecrets,
  user: SigningUser,
  name = "payments",
): Promise<string> {
  const { project } = await secrets.call(user, ProjectService.method.createProject, { name });
  return project?.projectId ?? "";
}

/** A request to make a secret, with an id of the user's vault. */
export function newSecretRequest(
  user: Pick<SigningUser, "vaultId">,
  projectId: string,
  name: string,
) {
  return { ...newSecretId(user.vaultId), projectId, name, value: sealedValue() };
}

/** Makes a secret in a project and returns its id. */
export async function addTestSecret(
  secrets: TestSecrets,
  user: SigningUser,
  projectId: string,
  name: string,
): Promise<string> {
  const request = newSecretRequest(user, projectId, name);
  const { secret } = await secrets.call(user, SecretService.method.createSecret, request);
  return secret?.secretId ?? "";
}

/** Puts secrets S_00001 … straight into the tables: that many calls would take minutes. */
export async function fillTestProject(
  { ownerUrl, memory }: TestSecrets,
  projectId: string,
  count: number,
): Promise<void> {
  await using owner = openDatabase({ url: ownerUrl, applicationName: "test-owner" });
  await owner.transaction(async (tx) => {
    await tx.query(
      `insert into secrets
         (secret_id, project_id, vault_id, name, current_version, created_by, created_at, updated_at)
       select 'sec_' || substr(md5(p.project_id || n), 1, 20), p.project_id, p.vault_id,
              'S_' || lpad(n::text, 5, '0'), 1, p.created_by, now(), now()
         from projects p, generate_series(1, $2::int) n where p.project_id = $1`,
      [projectId, count],
    );
    await tx.query(
      `insert into versions
         (secret_id, version, project_id, key_generation, envelope, kind, field_names, created_by, created_at)
       select secret_id, 1, project_id, 1, '\\x00', 1, '{}', created_by, created_at
         from secrets where project_id = $1 and name like 'S\\_%'`,
      [projectId],
    );
    const rows = await tx.query<{ secret_id: string; vault_id: string }>(
      "select secret_id, vault_id from secrets where project_id = $1",
      [projectId],
    );
    for (const { secret_id, vault_id } of rows)
      memory.places.set(secret_id, { vaultId: vault_id, projectId });
  });
}

/** Adds a version to a secret. */
export function addTestVersion(
  secrets: TestSecrets,
  user: SigningUser,
  secret: {
    readonly projectId: string;
    readonly secretId: string;
    readonly expectedVersion: number;
  },
) {
  return secrets.call(user, SecretService.method.addVersion, { ...secret, value: sealedValue() });
}

/** A developer of the vault with that role in a project. */
export function newDeveloper(
  { memory }: TestSecrets,
  vaultId: string,
  projectId: string,
  role: ProjectRole,
): SigningUser {
  const developer = newUser(vaultId, Role.DEVELOPER);
  memory.roles.set(roleKey(developer.userId, projectId), role);
  return developer;
}

/** The reason that a call is refused for; UNSPECIFIED when it is not. */
export async function reasonOf(call: Promise<unknown>): Promise<Reason> {
  return call.then(
    () => Reason.UNSPECIFIED,
    (error: unknown) => failureOf(error).reason,
  );
}

/** Deletes a secret. */
export function deleteTestSecret(secrets: TestSecrets, user: SigningUser, secretId: string) {
  return secrets.call(user, SecretService.method.deleteSecret, { secretId });
}

/** The actions on record since the events were last cleared. */
export function actionsOf({ memory }: TestSecrets): string[] {
  return memory.events.map(({ action }) => action);
}
