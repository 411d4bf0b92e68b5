import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Writes a file for its owner alone (0600) that is whole or absent, also after a power cut: beside
 * its place, synced, then linked there. Throws when the file exists: it is never overwritten,
 * also one that was made meanwhile.
 */
export function writeNewFile(file: string, content: Uint8Array): void {
  const draft = `${file}.${randomBytes(4).toString("hex")}.new`;
  try {
    writeSynced(draft, content);
    linkSync(draft, file);
  } finally {
    rmSync(draft, { force: true });
  }
  syncFolder(dirname(file));
}

function writeSynced(file: string, content: Uint8Array): void {
  const descriptor = openSync(file, "wx", 0o600);
  try {
    for (let at = 0; at < content.length;) at += writeSync(descriptor, content, at);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
