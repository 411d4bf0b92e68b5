import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Identity,
  type Sallyport,
  enroll,
  formatToken,
  login,
  newTokenSecret,
  openSallyport,
} from "@sallyport/client";
import { makeSecrets, makeToken, startMainJob } from "../system/deployment.ts";
import { type Ledger, openLedger } from "./ledger.ts";

/** The values that must not come out, by name. `OTHER` is granted to the neighbour alone. */
export const canaries = {
  DB_URL: "canary-of-db-url-new",
  API_KEY: "canary-of-api-key",
  OTHER: "canary-of-another-machine",
  FOREIGN: "canary-of-another-vault",
} as const;

/** The value that DB_URL had before. */
export const formerValue = "canary-of-db-url-old";

/** What is attacked: two vaults, three machines, and a secret with two versions. */
export type Field = Awaited<ReturnType<typeof layOutField>>;

/** Starts a deployment worth attacking and opens its log. */
export async function layOutField() {
  const { DB_URL, API_KEY, OTHER, FOREIGN } = canaries;
  const job = await startMainJob({ DB_URL: formerValue, API_KEY, OTHER });
  const { deployment, owner, admin, projectId, ids } = job;
  const secretId = ids["DB_URL"] ?? "";
  const project = { projectId, projectName: "web" };
  const plaintext = Buffer.from(DB_URL);
  await admin.addVersion({ secretId, name: "DB_URL", ...project, expectedVersion: 1, plaintext });
  const others = await makeToken(admin, owner, { projectId, secretIds: [ids["OTHER"] ?? ""] });
  const neighbour = await enroll(deployment.endpoint, others, { name: "neighbour" });
  const foreign = await layOutForeignVault(job.deployment.endpoint, admin, FOREIGN, owner);
  const ledger: Ledger = await openLedger(deployment.system);
  return {
    ...job,
    system: deployment.system,
    neighbour,
    foreign,
    ledger,
    async [Symbol.asyncDispose]() {
      admin.close();
      foreign.admin.close();
      await ledger[Symbol.asyncDispose]();
      await deployment[Symbol.asyncDispose]();
    },
  };
}

async function layOutForeignVault(
  endpoint: Parameters<typeof login>[0],
  admin: Sallyport,
  value: string,
  { rootFingerprint }: Identity,
) {
  const { seed, publicKeySha256 } = newTokenSecret();
  const { vault, codeId } = await admin.services.vaults.createVault({
    name: "foreign",
    ownerCodeKeySha256: publicKeySha256,
  });
  const vaultId = vault?.vaultId ?? "";
  const code = formatToken("login", { id: codeId, vaultId, rootFingerprint, seed });
  const owner = await login(endpoint, code, "foreign-owner");
  const foreign = openSallyport(owner);
  const { projectId, ids } = await makeSecrets(foreign, "web", { FOREIGN: value });
  const secretId = ids["FOREIGN"] ?? "";
  const token = await makeToken(foreign, owner, { projectId, secretIds: [secretId] });
  const machine = await enroll(endpoint, token, { name: "foreign-runner" });
  return { vaultId, owner, admin: foreign, projectId, secretId, machine };
}

/** An enrollment token of the main vault, for the attacks that need a machine of their own. */
export function newToken({ admin, owner, projectId, granted }: Field): Promise<string> {
  return makeToken(admin, owner, { projectId, secretIds: granted, uses: 5 });
}

/** How long things made for an attack live. */
export const lifetime = durationFromMs(600_000);
