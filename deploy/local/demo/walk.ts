import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Identity,
  type Sallyport,
  SallyportError,
  enroll,
  formatToken,
  loadIdentity,
  login,
  newTokenSecret,
  openSallyport,
  saveIdentity,
} from "@sallyport/client";
import { OutcomeSchema } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { repository } from "../host/command.ts";
import { sendTwice } from "./replay.ts";
import type { Screen } from "../start/screen.ts";
import type { System } from "../start/system.ts";
import { nodeProgram } from "../host/system-program.ts";

/** Names the promise that the walk found broken. */
export class WalkError extends Error {
  override readonly name = "WalkError";
}

const values = {
  DB_URL: "postgres://app:correct-horse@db/app",
  API_KEY: "ak_live_2f9c61",
  SIGNING_KEY: "never to be read",
};

function expectThat(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new WalkError(`broken promise: ${promise}`);
}

/** The reason for which an action is refused; a WalkError when it is not. */
async function refusalOf(action: Promise<unknown>, promise: string): Promise<string> {
  const reason = await action.then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof SallyportError) return error.reason;
      throw error;
    },
  );
  expectThat(reason !== undefined, promise);
  return reason;
}

/** Does the main job once, as a person and a machine would, a numbered line for each step. */
export async function walkMainJob(system: System, screen: Screen): Promise<void> {
  const endpoint = { url: system.url, ca: readFileSync(system.edgeCaFile, "utf8") };
  await checkEarlierMachine(system, screen);
  let owner: Identity | undefined;
  await screen.walk(async () => {
    owner = await ownerIdentity(system, endpoint);
    return `log in as owner ${owner.name} (${owner.principalId})`;
  });
  expectThat(owner !== undefined, "an owner can log in");
  const admin = openSallyport(owner);
  try {
    await walkAs(admin, owner, endpoint, system, screen);
  } finally {
    admin.close();
  }
}

async function ownerIdentity(
  { owner }: System,
  endpoint: { url: string; ca: string },
): Promise<Identity> {
  if (existsSync(owner.identityFile))
    return { ...(await loadIdentity(owner.identityFile)), ...endpoint };
  const code = readFileSync(owner.codeFile, "utf8").trim();
  const identity = await login(endpoint, code, "owner").catch(explainUsedCode);
  await saveIdentity(owner.identityFile, identity);
  return identity;
}

// The code is valid for one login, which may be the owner's own.
function explainUsedCode(cause: unknown): never {
  if (!(cause instanceof SallyportError && cause.reason === "TOKEN_EXHAUSTED")) throw cause;
  const sentence = "the owner's login code is used already, and the demo needs it";
  throw new Error(`${sentence}: give the demo a data directory of its own with --data`, { cause });
}

// A machine of an earlier start still reads: what it relies on survived.
async function checkEarlierMachine({ layout, url }: System, screen: Screen): Promise<void> {
  const file = join(layout.demo, "machine.json");
  if (!existsSync(file)) return;
  const identity = { ...(await loadIdentity(file)), url };
  if (Date.parse(identity.expiresAt) < Date.now())
    return screen.say("  the machine of an earlier start has expired, as it should");
  const client = openSallyport(identity);
  try {
    await screen.walk(
      async () =>
        `read ${(await client.read({ allGranted: true })).length} secrets as ${identity.name}, ` +
        "enrolled at an earlier start",
    );
  } finally {
    client.close();
  }
}

async function walkAs(
  admin: Sallyport,
  owner: Identity,
  endpoint: { url: string; ca: string },
  system: System,
  screen: Screen,
): Promise<void> {
  const name = `demo-${new Date().toISOString().replace(/\D/g, "").slice(0, 17)}`;
  let projectId = "";
  await screen.walk(async () => {
    const { project } = await admin.services.projects.createProject({ name });
    projectId = project?.projectId ?? "";
    return `create project ${name}`;
  });
  const ids = new Map<string, string>();
  await screen.walk(async () => {
    for (const [secret, value] of Object.entries(values)) {
      ids.set(
        secret,
        (
          await admin.createSecret({
            projectId,
            projectName: name,
            name: secret,
            plaintext: Buffer.from(value),
          })
        ).secretId,
      );
    }
    return `put ${[...ids.keys()].join(", ")} (sealed before they were sent)`;
  });
  const idOf = (secret: keyof typeof values): string => ids.get(secret) ?? "";
  const granted = [idOf("DB_URL"), idOf("API_KEY")];
  let token = "";
  await screen.walk(async () => {
    token = await createToken(admin, owner, projectId, granted);
    return "make an enrollment token that grants DB_URL and API_KEY, one use";
  });
  let machine: Identity | undefined;
  await screen.walk(async () => {
    machine = await enroll(endpoint, token, { name: `runner-${hostname()}`.slice(0, 128) });
    await saveIdentity(join(system.layout.demo, "machine.json"), machine);
    return (
      `enroll ${machine.name} (${machine.principalId}) until ` +
      `${machine.expiresAt.slice(0, 19)}Z`
    );
  });
  expectThat(machine !== undefined, "a machine can enroll");
  await walkMachine(machine, granted, idOf("SIGNING_KEY"), endpoint, system, screen);
  await screen.walk(() => showRecords(admin, machine?.principalId ?? "", screen));
}

async function createToken(
  admin: Sallyport,
  owner: Identity,
  projectId: string,
  secretIds: string[],
): Promise<string> {
  const { seed, publicKeySha256 } = newTokenSecret();
  const lifetime = durationFromMs(3_600_000);
  const { token } = await admin.services.enrollment.createToken({
    tokenKeySha256: publicKeySha256,
    projectIds: [projectId],
    secretIds,
    tokenLifetime: lifetime,
    machineLifetime: durationFromMs(86_400_000),
    maxUses: 1,
    description: "the walk",
  });
  const { vaultId, rootFingerprint } = owner;
  return formatToken("enr", { id: token?.tokenId ?? "", vaultId, rootFingerprint, seed });
}

async function walkMachine(
  identity: Identity,
  granted: readonly string[],
  other: string,
  endpoint: { url: string; ca: string },
  system: System,
  screen: Screen,
): Promise<void> {
  const machine = openSallyport(identity);
  try {
    await screen.walk(async () => {
      const results = await machine.read({ secretIds: granted });
      const read = results.flatMap((result) =>
        result.kind === "value" ? [[result.name, Buffer.from(result.plaintext).toString()]] : [],
      );
      const { DB_URL, API_KEY } = values;
      expectThat(
        JSON.stringify(Object.fromEntries(read)) === JSON.stringify({ DB_URL, API_KEY }),
        "the values read are the values put",
      );
      return "read DB_URL, API_KEY (2 of 3), sealed to this process, signature verified";
    });
    await screen.walk(async () => {
      const reason = await refusalOf(
        machine.read({ secretIds: [other] }),
        "a secret without a grant is refused",
      );
      expectThat(reason === "NOT_GRANTED", "the refusal says NOT_GRANTED");
      return `refused SIGNING_KEY: ${reason}`;
    });
  } finally {
    machine.close();
  }
  await screen.walk(async () => {
    const [first, second] = await sendTwice(endpoint, identity, granted);
    expectThat(first.status === 200, "a signed request is answered");
    expectThat(
      second.status === 401 && second.text.includes("REQUEST_REJECTED"),
      "a replayed request is refused",
    );
    return "replay that request byte for byte: refused, REQUEST_REJECTED";
  });
  await screen.walk(async () => {
    const printed = await runWithSecrets(system);
    expectThat(
      printed === `${values.DB_URL.length} ${values.API_KEY.length} unset`,
      "a command gets the two secrets and no more",
    );
    return "run a command with the two secrets in its environment";
  });
}

function runWithSecrets(system: System): Promise<string> {
  const script = 'printf "%s %s %s" "${#DB_URL}" "${#API_KEY}" "${SIGNING_KEY-unset}"';
  const args = [join(repository, "clients/cli/bin/sallyport.js"), "run", "--", "sh", "-c", script];
  const env = {
    PATH: process.env["PATH"] ?? "",
    SALLYPORT_IDENTITY: join(system.layout.demo, "machine.json"),
  };
  const child = spawn(nodeProgram, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => resolve(printed));
  });
}

const expected = ["machine.enrolled", "secret.read", "secret.read.denied", "replay.refused"];

async function showRecords(admin: Sallyport, machineId: string, screen: Screen): Promise<string> {
  const { records } = await admin.services.audit.listRecords({ pageSize: 100, machineId });
  for (const action of expected)
    expectThat(
      records.some((record) => record.action === action),
      `${action} is on record`,
    );
  const text = JSON.stringify(
    records.map((record) => ({ ...record, seq: String(record.seq) })),
    (_, value: unknown) => (typeof value === "bigint" ? String(value) : value),
  );
  for (const value of Object.values(values))
    expectThat(!text.includes(value), "no value is on record");
  for (const record of records.toReversed()) {
    const object = record.secretId || record.subjectId || record.projectId;
    const outcome = enumName(OutcomeSchema, record.outcome).toLowerCase();
    screen.say(
      `    ${String(record.seq).padStart(5)}  ${record.action.padEnd(20)} ${outcome.padEnd(8)} ` +
        `${object.padEnd(24)} ${record.reason}`,
    );
  }
  return `show its ${records.length} records, which hold no value`;
}
