import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Endpoint,
  type Identity,
  type Sallyport,
  enroll,
  formatToken,
  login,
  newTokenSecret,
  openSallyport,
  toSallyportError,
} from "@sallyport/client";
import {
  type System,
  type SystemOptions,
  type Tracing,
  startSystem,
} from "@sallyport/deploy/local";

/** A whole deployment of its own in a temporary directory: real servers, six real processes. */
export type Deployment = AsyncDisposable & {
  readonly system: System;
  readonly endpoint: Endpoint;
  readonly dir: string;
};

/**
 * Starts a deployment; `dir` continues an earlier one, whose directory is then left alone on
 * disposal. Nothing is traced unless `tracing` says so; `more` may change the settings of processes
 * and be called when one ends.
 */
export async function startDeployment(
  dir?: string,
  tracing: Tracing = {},
  more: Pick<SystemOptions, "settings"> & Partial<Pick<SystemOptions, "onEnd">> = {},
): Promise<Deployment> {
  const data = dir ?? mkdtempSync(join(tmpdir(), "sallyport-system-"));
  chmodSync(data, 0o711); // Postgres runs as a user of its own when this runs as root.
  const system = await startSystem({
    data,
    port: 0,
    tracing,
    step: (_, run) => run(),
    onEnd: () => undefined,
    ...more,
  });
  return {
    system,
    dir: data,
    endpoint: { url: system.url, ca: readFileSync(system.edgeCaFile, "utf8") },
    async [Symbol.asyncDispose]() {
      await system[Symbol.asyncDispose]();
      if (dir === undefined) rmSync(data, { recursive: true, force: true });
    },
  };
}

/** The owner of a fresh deployment. */
export function loginOwner({ system, endpoint }: Deployment): Promise<Identity> {
  return login(endpoint, readFileSync(system.owner.codeFile, "utf8").trim(), "owner");
}

/** A project with secrets of the given values; returns the ids by name. */
export async function makeSecrets(
  admin: Sallyport,
  project: string,
  values: Readonly<Record<string, string>>,
) {
  const created = await admin.services.projects.createProject({ name: project });
  const projectId = created.project?.projectId ?? "";
  const ids: Record<string, string> = {};
  for (const [name, value] of Object.entries(values)) {
    const secret = { projectId, projectName: project, name, plaintext: Buffer.from(value) };
    ids[name] = (await admin.createSecret(secret)).secretId;
  }
  return { projectId, ids };
}

/** An enrollment token's text that grants the secrets. */
export async function makeToken(
  admin: Sallyport,
  owner: Identity,
  scope: {
    readonly projectId: string;
    readonly secretIds: readonly string[];
    readonly uses?: number;
    /** Ten minutes unless given. */
    readonly machineLifetimeMs?: number;
  },
): Promise<string> {
  const { seed, publicKeySha256 } = newTokenSecret();
  const { token } = await admin.services.enrollment.createToken({
    tokenKeySha256: publicKeySha256,
    projectIds: [scope.projectId],
    secretIds: [...scope.secretIds],
    tokenLifetime: durationFromMs(600_000),
    machineLifetime: durationFromMs(scope.machineLifetimeMs ?? 600_000),
    maxUses: scope.uses ?? 1,
    description: "test",
  });
  const { vaultId, rootFingerprint } = owner;
  return formatToken("enr", { id: token?.tokenId ?? "", vaultId, rootFingerprint, seed });
}

/** A deployment with an owner, two granted secrets, one that is not, and a machine. */
export async function startMainJob(
  values = { DB_URL: "postgres://canary-db", API_KEY: "canary-key", OTHER: "canary-other" },
  tracing: Tracing = {},
) {
  const deployment = await startDeployment(undefined, tracing);
  const owner = await loginOwner(deployment);
  const admin = openSallyport(owner);
  const { projectId, ids } = await makeSecrets(admin, "web", values);
  const granted = [ids["DB_URL"] ?? "", ids["API_KEY"] ?? ""];
  const token = await makeToken(admin, owner, { projectId, secretIds: granted, uses: 10 });
  const machine = await enroll(deployment.endpoint, token, { name: "runner-1" });
  return { deployment, owner, admin, projectId, ids, granted, token, machine, values };
}

/** The values of a read, by name. */
export function valuesOf(results: Awaited<ReturnType<Sallyport["read"]>>): Record<string, string> {
  return Object.fromEntries(
    results.flatMap((result) =>
      result.kind === "value" ? [[result.name, Buffer.from(result.plaintext).toString()]] : [],
    ),
  );
}

/** The reason for which something was refused; "not refused" when it was not. */
export function refusal(action: Promise<unknown>): Promise<string> {
  return action.then(
    () => "not refused",
    (error: unknown) => toSallyportError(error).reason,
  );
}

/** Tells whether a program is on the PATH. */
export function isInstalled(program: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
