import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Sallyport, loadIdentity, openSallyport } from "@sallyport/client";
import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { type Deployment, makeSecrets, startDeployment } from "../deployment.ts";
import { type CliHome, createCliHome } from "./home.ts";
import { createCliHost } from "./host.ts";

/** A value that is no text. */
export const binary: Uint8Array = Buffer.from([0x00, 0xff, 0x0a, 0x80, 0x0d, 0x0a]);

/** A value that means something to most programs. */
export const odd = 'it\'s "odd"\n$HOME `x` \\ ünï = ';

/**
 * A deployment, and a home in which a person logged in and a machine enrolled by the command line.
 */
export type Cli = AsyncDisposable & {
  readonly deployment: Deployment;
  readonly home: CliHome;
  /** Makes the home of somebody else. */
  readonly newHome: (given: Readonly<Record<string, string>>) => CliHome;
  readonly admin: Sallyport;
  /** An enrollment token of some uses. */
  readonly token: string;
  readonly machineId: string;
  /** A token that enrolls for one minute only. */
  readonly brief: { readonly token: string; readonly tokenId: string; readonly endsAtMs: number };
  /** The JSON that commands printed, by their path. */
  readonly printed: Map<string, unknown>;
  /** Runs a command with --json and remembers what it printed. */
  note(path: string, args?: readonly string[], input?: string): Promise<unknown>;
  /** The folders of all identities, and of the one vault's. */
  folder(): string;
  vaultFolder(): string;
};

/** Starts the deployment and does what a person does on the first day, all by the command line. */
export async function startCli(): Promise<Cli> {
  const deployment = await startDeployment();
  const { endpoint, system } = deployment;
  const host = createCliHost();
  const newHome: Cli["newHome"] = (given) => createCliHome(given, host);
  const home = newHome({ SALLYPORT_URL: endpoint.url, SALLYPORT_CA: system.edgeCaFile });
  const printed = new Map<string, unknown>();
  const note: Cli["note"] = async (path, args = [], input = "") => {
    const value = await home.json([...path.split(" "), ...args], { input });
    printed.set(path, value);
    return value;
  };
  const folder = (): string => join(home.dir, ".config", "sallyport");
  const vaultFolder = (): string =>
    join(folder(), readdirSync(folder()).find((name) => name.startsWith("vlt_")) ?? "");

  await note("login", ["--name", "ada"], readFileSync(system.owner.codeFile, "utf8"));
  const admin = openSallyport(await loadIdentity(join(vaultFolder(), "user.json")));
  await note("project create", ["web"]);
  await makeWebSecrets(home, admin, note);
  await makeSecrets(admin, "api", { API_KEY: "ak_live_1234" });
  const secrets = ["--project", "web", "--secret", "DB_URL,ODD,BINARY,my-key,DB"];
  const { token } = (await note("token create", [...secrets, "--uses", "5", "--any-version"])) as {
    token: string;
  };
  const env = { SALLYPORT_ENROLLMENT_TOKEN: token };
  const enrolled = await home.json(["enroll", "--name", "runner-1"], { env });
  printed.set("enroll", enrolled);
  const { machineId } = enrolled as { machineId: string };
  const minute = ["--project", "web", "--ttl", "60s"];
  const made = (await home.json(["token", "create", ...minute])) as Omit<Cli["brief"], "endsAtMs">;
  const brief = { ...made, endsAtMs: Date.now() + 60_000 };
  return {
    deployment,
    home,
    newHome,
    admin,
    token,
    machineId,
    brief,
    printed,
    note,
    folder,
    vaultFolder,
    async [Symbol.asyncDispose]() {
      admin.close();
      home[Symbol.dispose]();
      host[Symbol.dispose]();
      await deployment[Symbol.asyncDispose]();
    },
  };
}

async function makeWebSecrets(home: CliHome, admin: Sallyport, note: Cli["note"]): Promise<void> {
  const put = (name: string, ...more: string[]) => [
    "secret",
    "put",
    name,
    "--project",
    "web",
    ...more,
  ];
  await note("secret put", put("DB_URL").slice(2), "postgres://db\n");
  await home.run(put("DB_URL", "--exact"), { input: "postgres://db/2" });
  await home.run(put("ODD"), { input: odd });
  const file = join(home.dir, "binary");
  writeFileSync(file, binary);
  await home.run(put("BINARY", "--file", file));
  await home.run(put("my-key"), { input: "short" });
  const { project } = await admin.services.projects.getProject({
    key: { case: "name", value: "web" },
  });
  const plaintext = Buffer.from(JSON.stringify({ user: "ada", password: 'p\'w "d"' }));
  const fields = { projectId: project?.projectId ?? "", projectName: "web", name: "DB", plaintext };
  await admin.createSecret({ ...fields, kind: ValueKind.FIELDS });
}
