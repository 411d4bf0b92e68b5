import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import {
  type Identity,
  createSigner,
  loadIdentity,
  openSallyport,
  parseToken,
} from "@sallyport/client";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { type Answer, type Collector, exchangeOnce } from "../infra/index.ts";
import { type CliHome, type CliRun, createCliHome } from "../system/cli/home.ts";
import type { Deployment } from "../system/deployment.ts";
import { type Canary, bytesCanary, textCanary } from "./canary.ts";

const newText = (name: string): string => `${name}${randomBytes(16).toString("hex")}`;

/** The secret texts of the day, by what becomes of them. */
export const texts = {
  /** Read sealed, by the command line. */
  sealed: newText("sealed"),
  /** Read by a client that does not seal. */
  unsealed: newText("unsealed"),
  /** Written and never read. */
  stored: newText("stored"),
  /** Asked for by a machine that has no grant. */
  refused: newText("refused"),
  /** Written against a version that is not current. */
  conflicting: newText("conflicting"),
  /** Sent where it does not belong: in a header, a query, a body that is refused. */
  misplaced: newText("misplaced"),
} as const;

/** A text that may lie about: what does not find it does not search. */
export const control: string = newText("control");

/** What the day left behind for the search. */
export type Day = {
  readonly home: CliHome;
  readonly canaries: readonly Canary[];
  /** Every answer and every line of the command line that was a refusal. */
  readonly refusals: string;
  /** What the reader that does not seal was answered. */
  readonly unsealedAnswer: string;
};

type Doer = {
  readonly deployment: Deployment;
  readonly home: CliHome;
  readonly refusals: string[];
};

/**
 * A day on which every kind of secret goes through the deployment, by every way in, and is refused
 * in many.
 */
export async function spendDay(deployment: Deployment): Promise<Day> {
  const { endpoint, system } = deployment;
  const home = createCliHome({ SALLYPORT_URL: endpoint.url, SALLYPORT_CA: system.edgeCaFile });
  const doer: Doer = { deployment, home, refusals: [] };
  const code = readFileSync(system.owner.codeFile, "utf8").trim();
  await home.json(["login", "--name", "ada"], { input: code });
  await home.json(["project", "create", "web"]);
  for (const [name, text] of Object.entries(texts))
    if (name !== "misplaced" && name !== "conflicting")
      await home.json(["secret", "put", name.toUpperCase(), "--project", "web"], { input: text });
  const named = ["--project", "web", "--secret", "SEALED,UNSEALED"];
  const { token } = (await home.json(["token", "create", ...named])) as { token: string };
  const env = { SALLYPORT_ENROLLMENT_TOKEN: token };
  const enrolled = (await home.json(["enroll", "--name", "runner-1"], { env })) as {
    identity: string;
  };
  const machine = await loadIdentity(enrolled.identity);
  const owner = await loadIdentity(join(enrolled.identity, "..", "user.json"));
  await readAsMachine(doer);
  await writeAsOwner(doer, owner);
  const unsealedAnswer = await readUnsealed(doer, machine, owner);
  await misplace(doer, machine);
  const seeds = {
    "token seed": parseToken(token, "enr").seed,
    "login seed": parseToken(code, "login").seed,
    "machine seed": Buffer.from(machine.seed, "base64"),
    "device seed": Buffer.from(owner.seed, "base64"),
  };
  const canaries = [
    ...Object.entries(texts).map(([name, text]) => textCanary(name, text)),
    ...Object.entries(seeds).map(([name, seed]) => bytesCanary(name, seed)),
  ];
  return { home, canaries, refusals: doer.refusals.join("\n"), unsealedAnswer };
}

async function readAsMachine({ home, refusals }: Doer): Promise<void> {
  const runs: CliRun[] = [
    await home.run(["get", "SEALED"]),
    await home.run(["export", "--format", "dotenv", "--only", "SEALED"]),
    await home.run(["run", "--only", "SEALED", "--", "sh", "-c", ": $SEALED"]),
  ];
  if (runs.some(({ code }) => code !== 0)) throw new Error("the machine cannot read");
  for (const args of [
    ["get", "REFUSED"],
    ["get", "SEALED", "--version", "9"],
    ["get", "none"],
  ]) {
    const { code, out, err } = await home.run(args);
    if (code === 0) throw new Error(`${args.join(" ")} was answered`);
    refusals.push(out, err);
  }
}

// A write that loses, and a note that everyone may see.
async function writeAsOwner({ refusals }: Doer, owner: Identity): Promise<void> {
  const admin = openSallyport(owner);
  const { projects } = await admin.services.projects.listProjects({});
  const projectId = projects[0]?.projectId ?? "";
  const { secrets } = await admin.services.secrets.listSecrets({ projectId });
  const { secretId = "", name = "" } = secrets.find((secret) => secret.name === "STORED") ?? {};
  const target = { projectId, projectName: "web", secretId, name, expectedVersion: 7 };
  await admin
    .addVersion({ ...target, plaintext: Buffer.from(texts.conflicting) })
    .catch((error: unknown) => refusals.push(inspect(error, { depth: 9 })));
  await admin.services.secrets.updateSecret({ secretId, note: control });
  admin.close();
}

const readPath = "/sallyport.gateway.v1.ReadService/ReadSecrets";
const json = "application/json";

async function readUnsealed(
  { deployment }: Doer,
  machine: Identity,
  owner: Identity,
): Promise<string> {
  const admin = openSallyport(owner);
  const { projects } = await admin.services.projects.listProjects({});
  const { secrets } = await admin.services.secrets.listSecrets({
    projectId: projects[0]?.projectId ?? "",
  });
  admin.close();
  const secretIds = secrets
    .filter(({ name }) => name === "UNSEALED")
    .map(({ secretId }) => secretId);
  const body = Buffer.from(JSON.stringify({ secretIds }));
  return (await post(deployment, machine, readPath, json, body)).text;
}

// What a careless client might send: values in headers, in the query, in bodies of another form.
async function misplace({ deployment, refusals }: Doer, machine: Identity): Promise<void> {
  const value = texts.misplaced;
  const write = `/${SecretService.typeName}/${SecretService.method.addVersion.name}`;
  const read = Buffer.from('{"allGranted":true}');
  const bodies = [
    `{"plaintext":"${value}"}`,
    `{"secretIds":["${value}"]}`,
    value,
    `{"name":"${value}`,
  ];
  const answers = [
    ...(await Promise.all(
      bodies.map((body) => post(deployment, machine, readPath, json, Buffer.from(body))),
    )),
    await post(deployment, machine, write, json, Buffer.from(`{"value":"${value}"}`)),
    await post(deployment, machine, `${readPath}?value=${value}`, json, read),
    await post(deployment, machine, `/${value}`, json, read),
    await post(deployment, machine, readPath, value, read),
    await post(deployment, machine, readPath, json, read, {
      authorization: `Bearer ${value}`,
      cookie: `value=${value}`,
      "x-request-id": value,
      "x-forwarded-for": value,
      "signature-input": `sp=("${value}")`,
    }),
  ];
  const taken = answers.findIndex(({ status }) => status === 200 || status >= 500);
  if (taken !== -1)
    throw new Error(`misplaced value ${taken} was answered with ${answers[taken]?.status}`);
  refusals.push(...answers.map(({ text }) => text));
}

function post(
  { endpoint }: Deployment,
  machine: Identity,
  path: string,
  contentType: string,
  body: Uint8Array,
  more: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const signer = createSigner(Buffer.from(machine.seed, "base64"), machine.keyId);
  const { headers } = signer.sign(
    { authority: new URL(endpoint.url).host, path, contentType },
    body,
  );
  return exchangeOnce(endpoint, path, { "content-type": contentType, ...headers, ...more }, body);
}

/** The traces of the day, once they have arrived. */
export async function tracesOf(collector: Collector): Promise<string> {
  const deadline = Date.now() + 20_000;
  while (!collector.text().includes("OpenService/Open")) {
    if (Date.now() > deadline) throw new Error("no traces came");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return collector.text();
}
