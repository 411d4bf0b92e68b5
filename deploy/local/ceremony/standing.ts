import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { writePrivateFile } from "@sallyport/client";
import { type Layout, databaseOwners } from "../data/layout.ts";

/** The result of the ceremony, kept for every later start. */
export type Deployment = { readonly rootFingerprint: string; readonly edgeCaFile: string };

/**
 * Says that a data directory is not whole: nothing in it was changed, and a person has to decide.
 */
export class IncompleteDeploymentError extends Error {
  override readonly name = "IncompleteDeploymentError";
}

/** The state of the ceremony: not begun, interrupted before any process ran, or held. */
export type Standing = "new" | "unfinished" | Deployment;

/**
 * Finds out what there is before anything is made, and notes that a ceremony begins. Throws
 * IncompleteDeploymentError when keys or a database are there without the marker of a ceremony that
 * was held or begun, and when a part is missing that a start would otherwise make again: what was
 * sealed with a key, or is in a database, must never be lost to a start.
 */
export async function findStanding(layout: Layout): Promise<Standing> {
  const { held, begun } = markers(layout);
  if (existsSync(held)) {
    requireAll(layout);
    rmSync(begun, { force: true });
    return { rootFingerprint: readMarker(held), edgeCaFile: edgeCaFile(layout) };
  }
  if (existsSync(begun)) return "unfinished";
  const found = precious(layout).filter(isThere);
  if (found.length > 0) throw new IncompleteDeploymentError(withoutMarker(layout, found));
  await writePrivateFile(begun, `${new Date().toISOString()}\n`);
  return "new";
}

/** The certificates of the authority that clients trust, wherever the data is now. */
export function edgeCaFile({ authorities }: Layout): string {
  return join(authorities, "edge", "ca.pem");
}

/**
 * Notes that the ceremony was held. From then on processes may run, and nothing is made again any
 * more.
 */
export async function markHeld(layout: Layout, deployment: Deployment): Promise<void> {
  const { held, begun } = markers(layout);
  await writePrivateFile(held, `${JSON.stringify(deployment, undefined, 2)}\n`);
  rmSync(begun, { force: true });
}

function markers({ supervisor }: Layout): { readonly held: string; readonly begun: string } {
  return { held: join(supervisor, "deployment.json"), begun: join(supervisor, "ceremony-begun") };
}

/** Everything that cannot be had again, the root key included. */
function precious(layout: Layout): readonly string[] {
  return [...needed(layout), join(layout.root, "root.key"), ...authorityKeys(layout)];
}

/** The files that every start needs. The keys of the root and the authorities may be elsewhere. */
function needed(layout: Layout): readonly string[] {
  return [
    join(layout.folder("crypto"), "kek.key"),
    join(layout.folder("crypto"), "keyring.bin"),
    join(layout.folder("policy"), "permit.key"),
    join(layout.folder("secrets"), "slip.key"),
    join(layout.folder("identity"), "credential.key"),
    join(layout.folder("audit"), "log.key"),
    ...databaseOwners.map((owner) => join(layout.folder(owner), "answer.key")),
    join(layout.authorities, "mesh", "ca.pem"),
    edgeCaFile(layout),
    join(layout.postgres, "superuser.password"),
    join(layout.postgres, "cluster"),
  ];
}

function authorityKeys({ authorities }: Layout): readonly string[] {
  return ["mesh", "edge"].map((name) => join(authorities, name, "ca.key"));
}

function requireAll(layout: Layout): void {
  const missing = needed(layout).filter((file) => !isThere(file));
  if (missing.length === 0) return;
  throw new IncompleteDeploymentError(
    `${names(layout, missing)} in ${layout.data} is missing, and a start does not make it again: ` +
      "put it back from a copy of this deployment, or start with an empty --data",
  );
}

function withoutMarker(layout: Layout, found: readonly string[]): string {
  return (
    `${layout.data} holds ${names(layout, found)}, but not supervisor/deployment.json, the mark ` +
    "of a finished ceremony; nothing was changed. Put that file back from a copy of this " +
    "deployment, or start with an empty --data"
  );
}

function names({ data }: Layout, files: readonly string[]): string {
  return files.map((file) => relative(data, file)).join(", ");
}

// An empty folder in a cluster's place, such as a mount that is not there, is no cluster.
function isThere(path: string): boolean {
  if (!existsSync(path)) return false;
  return !path.endsWith("cluster") || readdirSync(path).length > 0;
}

function readMarker(file: string): string {
  try {
    const marker = JSON.parse(readFileSync(file, "utf8")) as Deployment | null;
    const { rootFingerprint, edgeCaFile } = marker ?? {};
    // The file says where the authority was when the data was made.
    if (typeof rootFingerprint === "string" && typeof edgeCaFile === "string")
      return rootFingerprint;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new IncompleteDeploymentError(
    `${file} is damaged: put it back from a copy of this deployment`,
  );
}
