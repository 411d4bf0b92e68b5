import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Identity,
  type Sallyport,
  enroll,
  formatToken,
  newTokenSecret,
  openSallyport,
  retrying,
} from "@sallyport/client";
import { type Deployment, loginOwner, makeSecrets } from "../system/deployment.ts";
import type { History } from "./history.ts";

/**
 * What the clients work on: one project, its secrets, machines that read and one that reads every
 * version.
 */
export type Stock = {
  readonly owner: Identity;
  readonly admin: Sallyport;
  readonly projectId: string;
  readonly projectName: string;
  /** Ids by name. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly machines: readonly Identity[];
  readonly verifier: Identity;
};

/** An enrollment token: its id and its text. */
export type Token = { readonly tokenId: string; readonly text: string };

const projectName = "web";
const dayMs = 86_400_000;

/** Fills a fresh deployment; the first values are the history's first writes. */
export async function stockUp(
  deployment: Deployment,
  history: History,
  machineCount: number,
): Promise<Stock> {
  const owner = await loginOwner(deployment);
  const admin = openSallyport(owner);
  const values = { HOT: "first value of HOT", COLD: "first value of COLD" };
  const { projectId, ids } = await makeSecrets(admin, projectName, values);
  for (const [name, value] of Object.entries(values)) {
    const secretId = ids[name] ?? "";
    const now = performance.now();
    const answer = { kind: "done", value: null } as const;
    history.writes.push({
      secretId,
      version: 1,
      value,
      digest: name,
      startedMs: now,
      endedMs: now,
      answer,
    });
  }
  const scope = { projectId, secretIds: Object.values(ids) };
  const readers = await makeToken(admin, owner, { ...scope, uses: machineCount });
  const machines: Identity[] = [];
  for (let n = 0; n < machineCount; n += 1)
    machines.push(await enroll(deployment.endpoint, readers.text, { name: `reader-${n}` }));
  const every = await makeToken(admin, owner, { ...scope, uses: 1, anyVersion: true });
  const verifier = await enroll(deployment.endpoint, every.text, { name: "verifier" });
  return { owner, admin, projectId, projectName, secrets: ids, machines, verifier };
}

/**
 * Makes a token, trying for two minutes; one that was made though nobody heard of it stays unused.
 */
export async function makeToken(
  admin: Sallyport,
  { vaultId, rootFingerprint }: Identity,
  scope: {
    readonly projectId: string;
    readonly secretIds: readonly string[];
    readonly uses: number;
    readonly anyVersion?: boolean;
  },
): Promise<Token> {
  const create = async (): Promise<Token> => {
    const { seed, publicKeySha256 } = newTokenSecret();
    const { token } = await admin.services.enrollment.createToken({
      tokenKeySha256: publicKeySha256,
      projectIds: [scope.projectId],
      secretIds: [...scope.secretIds],
      tokenLifetime: durationFromMs(dayMs),
      machineLifetime: durationFromMs(dayMs),
      maxUses: scope.uses,
      anyVersion: scope.anyVersion ?? false,
      description: "chaos",
    });
    const tokenId = token?.tokenId ?? "";
    return { tokenId, text: formatToken("enr", { id: tokenId, vaultId, rootFingerprint, seed }) };
  };
  return retrying(create, { untilMs: performance.now() + 120_000 });
}
