import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { pickAnswerKey } from "@sallyport/evidence";
import { type Outbox, createOutbox } from "@sallyport/outbox";
import { type Database, migrate, openDatabase } from "@sallyport/postgres";
import { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import {
  AuthorizationService,
  Purpose,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { DirectoryService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/directory_pb.ts";
import { RoleService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/role_pb.ts";
import { ScopeService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import {
  CredentialClaimsSchema,
  PrincipalKind,
  Role,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type ProjectRole,
  ProjectRoleService,
} from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { failureOf } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import { policyRoutes } from "../server.ts";
import { createMemoryAudit } from "./memory-peers.ts";
import {
  type ServiceTestDatabase,
  callsForwarded,
  createServiceDatabase,
  createSignedDeployment,
  inMemory,
  newUser,
} from "@sallyport/test/infra";

/** The instant at which tests begin, in milliseconds. */
export const testStartMs = 1_800_000_000_000;

/** Where a test may hold policy up: before it writes a record, the last step of a change. */
export type TestHooks = { beforeRecord: () => Promise<void> };

/**
 * Policy on a real database, reached in memory, with a log in memory and a clock that a test may
 * move.
 */
export type TestPolicy = Awaited<ReturnType<typeof startTestPolicy>>;

/**
 * Serves policy on the database, or on a fresh one that goes with it; one of a test file is
 * disposed of after it.
 */
export async function startTestPolicy(given?: ServiceTestDatabase) {
  const urls = given ?? (await createServiceDatabase("policy"));
  await migrate({ url: urls.ownerUrl, folder: new URL("../../migrations", import.meta.url) });
  // The limits on what is recorded go by a clock of their own.
  const time = { nowMs: testStartMs, steadyMs: 0 };
  const clock = () => time.nowMs;
  const database = openDatabase({ url: urls.servingUrl, applicationName: "test-policy" });
  const decisions = openDatabase({ url: urls.servingUrl, applicationName: "test-decisions" });
  const memory = createMemoryAudit();
  const audit = createClient(AppendService, memory.transport);
  const logged: unknown[] = [];
  const stream = { write: (line: string) => void logged.push(JSON.parse(line)) };
  const logger = createLogger({ service: "policy", level: "error", stream });
  const outbox = createOutbox({ database, audit, logger });
  const hooks: TestHooks = { beforeRecord: () => Promise.resolve() };
  const record: Outbox["record"] = async (tx, ...events) => {
    await hooks.beforeRecord();
    await outbox.record(tx, ...events);
  };
  const deployment = createSignedDeployment(clock);
  const permitKeys = [{ keyId: "permit-1", key: new Uint8Array(32).fill(7) }];
  const trust = deployment.trust();
  const routes = policyRoutes(deployment.config, {
    database,
    decisions,
    outbox: { ...outbox, record },
    audit,
    trust,
    answerKey: () => pickAnswerKey(deployment.answerKeys("policy"), "policy", trust),
    permitKeys: () => permitKeys,
    clock,
    steadyClock: () => time.steadyMs,
    logger,
  });
  const transport = inMemory(routes);
  const forwarding = createClient(ForwardService, transport);
  return {
    time,
    database,
    audit: memory,
    /** The errors that were logged, a parsed line each. */
    logged,
    hooks,
    permitKeys,
    deployment,
    forwarding,
    authorization: createClient(AuthorizationService, transport),
    /** The same, asked by secrets. */
    listing: createClient(AuthorizationService, inMemory(routes, "secrets")),
    scope: createClient(ScopeService, transport),
    roles: createClient(RoleService, transport),
    directory: createClient(DirectoryService, transport),
    call: callsForwarded(deployment, forwarding),
    async [Symbol.asyncDispose]() {
      await outbox[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
      await decisions[Symbol.asyncDispose]();
      if (!given) await urls[Symbol.asyncDispose]();
    },
  };
}

/** Has an owner of the vault give a user a role in a project. */
export async function giveRole(
  policy: TestPolicy,
  vaultId: string,
  given: { readonly userId: string; readonly projectId: string; readonly role: ProjectRole },
): Promise<void> {
  await policy.call(newUser(vaultId), ProjectRoleService.method.setProjectRole, given);
}

/** A project of a vault with secrets, known to policy. */
export type TestProject = {
  readonly vaultId: string;
  readonly projectId: string;
  readonly secretIds: readonly string[];
};

/**
 * Registers a project with that many secrets, in a new vault unless told otherwise; ids come
 * sorted.
 */
export async function addTestProject(
  { directory }: Pick<TestPolicy, "directory">,
  secrets: number,
  vaultId = newId("vlt"),
): Promise<TestProject> {
  const projectId = newId("prj");
  const secretIds = Array.from({ length: secrets }, () => newId("sec")).sort();
  await directory.registerResources({ vaultId, projectIds: [projectId] });
  for (let start = 0; start < secretIds.length; start += 100) {
    const part = secretIds.slice(start, start + 100).map((secretId) => ({ secretId, projectId }));
    await directory.registerResources({ vaultId, secrets: part });
  }
  return { vaultId, projectId, secretIds };
}

/**
 * An ApplyScope for a new machine that joins the project and reads the given secrets for an hour.
 */
export function scopeOf({ vaultId, projectId }: TestProject, secretIds: readonly string[]) {
  return {
    vaultId,
    machineId: newId("mch"),
    projectIds: [projectId],
    secretIds: [...secretIds],
    expiresAt: timestampFromMs(testStartMs + 3_600_000),
    createdBy: newId("usr"),
    createdByRole: Role.ADMIN,
    tokenId: newId("tok"),
  };
}

/** A read of the named secrets by a machine. */
export function readOf(vaultId: string, machineId: string, secretIds: readonly string[]) {
  return {
    requestDigest: globalThis.crypto.getRandomValues(new Uint8Array(32)),
    vaultId,
    machineId,
    sourceIp: "192.0.2.1",
    client: "sallyport-cli/0.1.0",
    purpose: Purpose.READ,
    secretIds: [...secretIds],
    requestId: newId("req"),
    claims: claimsOf(vaultId, machineId),
  };
}

/** The claims of a machine's credential, as a gateway passes them on. */
export function claimsOf(vaultId: string, machineId: string) {
  return create(CredentialClaimsSchema, {
    principalId: machineId,
    kind: PrincipalKind.MACHINE,
    vaultId,
    publicKey: new Uint8Array(32).fill(1),
    keyId: machineId,
    issuedAt: timestampFromMs(testStartMs),
    expiresAt: timestampFromMs(testStartMs + 60_000),
    serial: new Uint8Array(16).fill(2),
    originId: newId("tok"),
  });
}

/**
 * Makes the machines known, members of the project and granted all of its secrets, past the service
 * and its records.
 */
export async function fillGrants(
  { database }: Pick<TestPolicy, "database">,
  { vaultId, projectId, secretIds }: TestProject,
  machineIds: readonly string[],
): Promise<void> {
  const machine = "unnest($2::text[]) as machine (id)";
  await database.query(
    `insert into principals (machine_id, vault_id, status, expires_at, token_id, created_by)
     select machine.id, $1, 'active', $3, 'tok_test', 'usr_test'
       from ${machine} on conflict do nothing`,
    [vaultId, machineIds, new Date(testStartMs + 3_600_000)],
  );
  await database.query(
    `insert into memberships (machine_id, project_id, vault_id, created_by, created_at)
     select machine.id, $3, $1, 'usr_test', now() from ${machine}`,
    [vaultId, machineIds, projectId],
  );
  await database.query(
    `insert into grants (machine_id, secret_id, project_id, vault_id, created_by, created_at)
     select machine.id, secret.id, $3, $1, 'usr_test', now()
       from ${machine}, unnest($4::text[]) as secret (id)`,
    [vaultId, machineIds, projectId, secretIds],
  );
}

/**
 * What a read of the current version of one secret is refused with; UNSPECIFIED when it is
 * permitted.
 */
export async function refusalOfRead(
  { authorization }: Pick<TestPolicy, "authorization">,
  vaultId: string,
  machineId: string,
  secretId: string,
  requestedVersion = 0,
): Promise<Reason> {
  const item = { ...readOf(vaultId, machineId, [secretId]), requestedVersion };
  const { results } = await authorization.authorize({ items: [item] });
  const [result] = results;
  if (!result) throw new Error("no result");
  if (result.refusal) return result.refusal.reason;
  if (!result.permit) throw new Error("neither refused nor permitted");
  return Reason.UNSPECIFIED;
}

/** The reason for which a call is refused; UNSPECIFIED when it succeeds. */
export async function reasonOf(call: Promise<unknown>): Promise<Reason> {
  return call.then(
    () => Reason.UNSPECIFIED,
    (error: unknown) => failureOf(error).reason,
  );
}

/** Number of rows of a table. */
export async function countRows(
  database: Pick<Database, "query">,
  table: "memberships" | "grants" | "outbox" | "secrets" | "project_roles",
): Promise<number> {
  const [row] = await database.query<{ rows: number }>(
    `select count(*)::int as rows from ${table}`,
  );
  return row?.rows ?? 0;
}
