import { X509Certificate } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { openAsOfThen } from "../keyset/open.ts";
import { filesOf, readKeyset } from "../keyset/files.ts";
import { explain } from "../app/failure.ts";
import { type Life, isNearEnd, leftText } from "./ending.ts";
import { type Finding, bad, ok, warn } from "./finding.ts";
import { rootFinding } from "./remote.ts";

const servers = new Set(["postgres", "redis", "logs"]);
const deepest = 3;

/**
 * Checks what ends in the data directory of a deployment: the keyset, its signer and every
 * certificate, those of the processes, the operator and the authorities among them. For its
 * operator, who may read the folders of the processes.
 */
export async function checkData(dir: string, nowMs = Date.now()): Promise<Finding[]> {
  let files: readonly string[];
  try {
    files = filesIn(dir, deepest);
  } catch (error) {
    const { message } = explain(error);
    return [
      bad("data", message, "name the data directory of a deployment, as a user who may read it", 2),
    ];
  }
  const certificates = files.filter((file) => file.endsWith(".pem"));
  if (certificates.length === 0)
    return [
      bad("data", `there is no deployment in ${dir}`, "name its data directory: --data DIR", 2),
    ];
  return [
    ...(await keysetFindings(dir, files, nowMs)),
    ...certificateFindings(dir, certificates, nowMs),
  ];
}

// Symbolic links are not followed: what is checked is what lies in the folder.
function filesIn(dir: string, depth: number): readonly string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isFile()) return [path];
    return entry.isDirectory() && depth > 1 && !servers.has(entry.name)
      ? filesIn(path, depth - 1)
      : [];
  });
}

async function keysetFindings(
  dir: string,
  files: readonly string[],
  nowMs: number,
): Promise<Finding[]> {
  const { keyset: newest } = filesOf(join(dir, "keyset"));
  try {
    const keyset = await readKeyset(newest);
    if (!keyset)
      return [
        bad("root", `there is no keyset at ${newest}`, "start the deployment: it makes one", 4),
      ];
    const { claims, notAfterMs, signerNotAfterMs } = openAsOfThen(keyset);
    const ends = { keysetNotAfterMs: notAfterMs, signerNotAfterMs };
    const behind: string[] = [];
    for (const file of files.filter((name) => basename(name) === basename(newest)))
      if (!(await holds(file, keyset.payload))) behind.push(relative(dir, file));
    const late = behind.map((name) =>
      warn(
        "root",
        `${name} is not the newest keyset`,
        `sallyport keyset renew --dir ${join(dir, "keyset")} --to ${join(dir, name)}`,
      ),
    );
    return [rootFinding({ epoch: claims.epoch, ...ends }, nowMs), ...late];
  } catch (error) {
    const { message, next } = explain(error);
    return [bad("root", message, next, 4)];
  }
}

async function holds(file: string, payload: Uint8Array): Promise<boolean> {
  const keyset = await readKeyset(file);
  return keyset !== undefined && Buffer.compare(keyset.payload, payload) === 0;
}

function certificateFindings(dir: string, files: readonly string[], nowMs: number): Finding[] {
  const lives = files.map((file) => ({ name: relative(dir, file), life: lifeOf(file) }));
  const findings = lives.flatMap(({ name, life }) => endingOf(name, life, nowMs));
  if (findings.length > 0) return findings;
  const [first] = lives
    .flatMap(({ name, life }) => (life ? [{ name, life }] : []))
    .toSorted((one, other) => one.life.untilMs - other.life.untilMs);
  const soonest = first
    ? `the first to end is ${first.name} in ${leftText(first.life, nowMs)}`
    : "";
  return [ok("certificates", `${files.length} files; ${soonest}`)];
}

function endingOf(name: string, life: Life | undefined, nowMs: number): Finding[] {
  const fix =
    "renew it: node deploy/local/renew.ts, or your own authority; running processes take it up";
  if (!life) return [bad("certificates", `${name} holds no certificate`, fix, 4)];
  if (life.untilMs <= nowMs) return [bad("certificates", `${name} has ended`, fix, 4)];
  if (!isNearEnd(life, nowMs)) return [];
  return [warn("certificates", `${name} ends in ${leftText(life, nowMs)}`, fix)];
}

// Of authorities the last to end counts, since an old one may stand beside its successor; of a
// chain the first.
function lifeOf(file: string): Life | undefined {
  const text = readFileSync(file, "utf8");
  const lives = (text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [])
    .map((block) => new X509Certificate(block))
    .map(({ validFromDate, validToDate }) => ({
      fromMs: validFromDate.getTime(),
      untilMs: validToDate.getTime(),
    }))
    .toSorted((one, other) => one.untilMs - other.untilMs);
  return basename(file) === "ca.pem" ? lives.at(-1) : lives[0];
}
