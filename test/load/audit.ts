/**
 * npm run bench:audit: how many records a second the log takes, durable, and how fast the first
 * page of a listing is. Closed loop over mTLS: each caller sends its next batch of reads when the
 * last is committed. With --against DIR, a checkout of another commit with its packages installed,
 * both take turns on databases of their own. Options: --seconds N (8), --rounds N (3), --callers N
 * (32), --batch N (20), --rows N (200000; 0 lists nothing), --cold (Postgres has not learnt yet
 * what is in the log).
 */
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { type MessageInitShape, fromBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import type * as auditServer from "@sallyport/audit/server";
import { startPostgres } from "@sallyport/deploy/local";
import { migrate } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import {
  AppendService,
  AppendStatus,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import {
  ActorKind,
  AuditService,
  Outcome,
  RecordOrder,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { connectPeer } from "@sallyport/rpc";
import { fillLog, filledLog } from "../infra/filled-log.ts";
import { createTestPki } from "../infra/pki.ts";
import { ensureRoles, withClient } from "../infra/roles.ts";
import { createSignedDeployment, newUser } from "../infra/signed-deployment.ts";
import { percentile } from "./figures.ts";
import { cpuSecondsOf } from "./processes.ts";

const { values: options } = parseArgs({
  options: {
    against: { type: "string" },
    seconds: { type: "string", default: "8" },
    rounds: { type: "string", default: "3" },
    callers: { type: "string", default: "32" },
    batch: { type: "string", default: "20" },
    rows: { type: "string", default: "200000" },
    cold: { type: "boolean", default: false },
  },
});
const here = join(import.meta.dirname, "..", "..");
const dir = mkdtempSync(join(tmpdir(), "sallyport-bench-"));
chmodSync(dir, 0o711); // Postgres runs as a user of its own when this runs as root.
await using stack = new AsyncDisposableStack();
stack.defer(() => rmSync(dir, { recursive: true, force: true }));
const pki = stack.use(await createTestPki());
const postgres = stack.use(
  await startPostgres({ dataDir: join(dir, "postgres"), log: () => undefined }),
);
const deployment = createSignedDeployment(Date.now);
const password = randomBytes(12).toString("hex");

async function newLog(
  root: string,
): Promise<{ readonly ownerUrl: string; readonly servingUrl: string }> {
  const database = `audit_${randomBytes(4).toString("hex")}`;
  const urlOf = (role: string): string => {
    const url = new URL(postgres.superuserUrl(database));
    url.username = role;
    url.password = password;
    return url.href;
  };
  await withClient(postgres.superuserUrl(), async (client) => {
    const roles = ["sallyport_audit_owner", "sallyport_audit"].map((name) => ({ name, password }));
    await ensureRoles(client, roles);
    await client.query(`create database ${database} owner sallyport_audit_owner`);
  });
  const urls = { ownerUrl: urlOf("sallyport_audit_owner"), servingUrl: urlOf("sallyport_audit") };
  await migrate({ url: urls.ownerUrl, folder: join(root, "services/audit/migrations") });
  return urls;
}

async function startAudit(root: string, databaseUrl: string) {
  const module = pathToFileURL(join(root, "services/audit/src/server.ts")).href;
  // The file of that name in any checkout.
  const { startAudit: start } = (await import(module)) as typeof auditServer;
  const listen = { host: "127.0.0.1", port: 0 };
  const { trustDomain } = pki;
  const given = { ...deployment.config, ...pki.tls("audit"), listen, trustDomain, databaseUrl };
  const answerKeys = deployment.answerKeys("audit");
  // The log is measured, not the bound on the records of one machine.
  const recordsPerOriginPerDay = 1_000_000_000;
  return start({
    ...given,
    answerKeys,
    logKeys: deployment.logKeys,
    recordsPerOriginPerDay,
    operatorVault: undefined,
    otlpUrl: undefined,
    logLevel: "silent",
  });
}

function clientOf<S extends typeof AppendService | typeof ForwardService>(
  service: S,
  peer: "crypto" | "gateway",
  port: number,
) {
  const url = `https://localhost:${port}`;
  const connection = connectPeer({
    peer: "audit",
    url,
    tls: pki.tls(peer),
    trustDomain: pki.trustDomain,
  });
  return { client: createClient(service, connection.transport), close: () => connection.close() };
}

function reads(count: number) {
  const decisionId = newId("dec");
  const [requestDigest, attemptId, machineId] = [randomBytes(32), randomBytes(16), newId("mch")];
  return Array.from({ length: count }, () =>
    newEvent("crypto", "secret.read", {
      actorKind: ActorKind.MACHINE,
      actorId: machineId,
      machineId,
      vaultId: filledLog.vaultId,
      projectId: filledLog.projectId,
      secretId: newId("sec"),
      secretVersion: 1,
      sourceIp: `10.0.${requestDigest[0]}.${requestDigest[1]}`,
      client: "sallyport-cli/0.1.0",
      requestDigest,
      attemptId,
      decisionId,
      policyVersion: 1,
      detail: { name: "DB_URL", selector: "current", sealed: "true" },
    }),
  );
}

/** The backend of the one writer: what a record costs Postgres, whatever else this machine does. */
async function writerOf(databaseUrl: string): Promise<number> {
  return withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ pid: number }>(
      `select pid from pg_stat_activity
        where application_name = 'sallyport-audit-writer' and datname = current_database()`,
    );
    return rows[0]?.pid ?? 0;
  });
}

type Appended = {
  readonly rate: number;
  readonly postgresMicros: number;
  readonly nodeMicros: number;
};

async function appendFor(root: string): Promise<Appended> {
  const { ownerUrl, servingUrl } = await newLog(root);
  await using server = await startAudit(root, servingUrl);
  const { client, close } = clientOf(AppendService, "crypto", server.port);
  let committed = 0;
  const send = async (): Promise<void> => {
    const { results } = await client.append({ events: reads(Number(options.batch)) });
    committed += results.filter(({ status }) => status === AppendStatus.COMMITTED).length;
  };
  for (let warmUp = 0; warmUp < 100; warmUp += 1) await send();
  // As Postgres does automatically within its first minutes.
  if (!options.cold) await withClient(ownerUrl, (owner) => owner.query("analyze records"));
  committed = 0;
  const writer = await writerOf(servingUrl);
  const cpuBefore = [cpuSecondsOf(writer), cpuSecondsOf(process.pid)] as const;
  const begun = performance.now();
  const end = begun + Number(options.seconds) * 1000;
  await Promise.all(
    Array.from({ length: Number(options.callers) }, async () => {
      while (performance.now() < end) await send();
    }),
  );
  const seconds = (performance.now() - begun) / 1000;
  const micros = (used: number) => (used / committed) * 1e6;
  close();
  return {
    rate: committed / seconds,
    postgresMicros: micros(cpuSecondsOf(writer) - cpuBefore[0]),
    nodeMicros: micros(cpuSecondsOf(process.pid) - cpuBefore[1]),
  };
}

async function measureAppend(): Promise<void> {
  const other = options.against === undefined ? [] : [["other", options.against] as const];
  const sides = [...other, ["here", here] as const];
  const measured = new Map(sides.map(([name]) => [name, [] as Appended[]]));
  for (let round = 0; round < Number(options.rounds); round += 1)
    for (const [name, root] of sides) measured.get(name)?.push(await appendFor(root));
  console.log("\nappend, medians (all rates)");
  for (const [name, all] of measured) {
    const median = (value: (one: Appended) => number) => percentile(all.map(value), 0.5).toFixed(0);
    const rates = all.map(({ rate }) => rate.toFixed(0)).join(", ");
    console.log(
      `  ${name.padEnd(6)} ${median(({ rate }) => rate)} records/s, per record ` +
        `${median(({ postgresMicros }) => postgresMicros)} µs CPU in Postgres, ` +
        `${median(({ nodeMicros }) => nodeMicros)} µs in client and audit (${rates})`,
    );
  }
}

type Asked = MessageInitShape<typeof AuditService.method.listRecords.input>;

function listings(rows: number): readonly (readonly [name: string, asked: Asked])[] {
  const { machineId, secretId, projectId, userId, tokenId, begin } = filledLog;
  const at = (row: number) => timestampFromMs(begin.getTime() + row * 1000);
  return [
    ["no filter", {}],
    ["actor", { actorId: userId }],
    ["machine", { machineId }],
    ["secret", { secretId }],
    ["project", { projectId }],
    ["subject", { subjectId: tokenId }],
    ["action", { actions: ["secret.read"] }],
    ["action of long ago", { actions: ["grant.added"] }],
    ["three actions", { actions: ["grant.added", "token.created", "secret.read.denied"] }],
    ["outcome allowed", { outcome: Outcome.ALLOWED }],
    ["outcome denied", { outcome: Outcome.DENIED }],
    ["reason", { reasons: ["PROJECT_FROZEN"] }],
    ["address", { sourceCidr: filledLog.usualAddress }],
    ["network of 160 addresses", { sourceCidr: filledLog.earlyNetwork }],
    ["network of 1,500 addresses", { sourceCidr: filledLog.runnerNetwork }],
    ["IPv6 network", { sourceCidr: filledLog.v6Network }],
    ["after a time", { afterTime: at(rows / 2) }],
    ["before a time", { beforeTime: at(rows / 2) }],
    ["tail", { afterSeq: BigInt(rows - 100) }],
    ["machine and action", { machineId, actions: ["secret.read.denied"] }],
  ];
}

async function measureListing(rows: number): Promise<void> {
  const { ownerUrl, servingUrl } = await newLog(here);
  await fillLog(ownerUrl, rows);
  await using server = await startAudit(here, servingUrl);
  const { client, close } = clientOf(ForwardService, "gateway", server.port);
  const user = newUser(filledLog.vaultId);
  const { listRecords } = AuditService.method;
  console.log(`\nfirst page of 50 in ${rows} records, forwarded and verified, ms (p50 / p95)`);
  for (const [name, asked] of listings(rows)) {
    const shown = [];
    for (const order of [RecordOrder.NEWEST_FIRST, RecordOrder.OLDEST_FIRST]) {
      const times: number[] = [];
      let found = 0;
      for (let call = 0; call < 40; call += 1) {
        const request = deployment.forwardRequest(user, listRecords, { ...asked, order });
        const begun = performance.now();
        const { result } = await client.forward(request);
        times.push(performance.now() - begun);
        if (result.case !== "response") throw new Error(`${name} was refused`);
        found = fromBinary(listRecords.output, result.value).records.length;
      }
      shown.push(
        `${percentile(times, 0.5).toFixed(1)} / ${percentile(times, 0.95).toFixed(1)} (${found})`,
      );
    }
    console.log(`  ${name.padEnd(28)} newest ${(shown[0] ?? "").padEnd(20)} oldest ${shown[1]}`);
  }
  close();
}

console.log(
  `node ${process.version}, ${cpus().length} cores (${cpus()[0]?.model ?? ""}), ` +
    "everything on this machine",
);
await measureAppend();
if (Number(options.rows) > 0) await measureListing(Number(options.rows));
