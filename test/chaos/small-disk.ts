import { execFileSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { System } from "@sallyport/deploy/local";
import { asSuperuser } from "./database.ts";

/**
 * A disk of 64 MB for the tables of the log. Disposing takes it away, which suits a Postgres that
 * has stopped.
 */
export type SmallDisk = Disposable & {
  /** Moves the tables of the log there. Postgres's own log of changes stays where it was. */
  takeLog(system: System): Promise<void>;
  /** Takes what is left of it. */
  fill(): void;
  /** Gives that back. */
  free(): void;
};

const pieces = [64 * 1024, 4096];

/** Mounts a small disk, which only root can; returns the reason where that is impossible. */
export function mountSmallDisk(): SmallDisk | string {
  const dir = mkdtempSync(join(tmpdir(), "sp-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m,mode=0755", "tmpfs", dir], {
      stdio: "pipe",
    });
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    return `the log's disk is not filled, since none can be mounted here: ${error instanceof Error ? error.message : ""}`;
  }
  const filler = join(dir, "filler");
  return {
    async takeLog(system) {
      const { uid, gid } = statSync(join(system.layout.postgres, "cluster"));
      chownSync(dir, uid, gid);
      await asSuperuser(system, async (client) => {
        const moved =
          "in tablespace pg_default owned by sallyport_audit_owner set tablespace small";
        await client.query(`create tablespace small owner sallyport_audit_owner location '${dir}'`);
        await client.query(`alter table all ${moved}`);
        await client.query(`alter index all ${moved}`);
      });
    },
    fill() {
      for (const bytes of pieces) fillWith(filler, Buffer.alloc(bytes));
    },
    free: () => rmSync(filler, { force: true }),
    [Symbol.dispose]() {
      execFileSync("umount", [dir], { stdio: "pipe" });
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function fillWith(file: string, piece: Buffer): void {
  try {
    for (;;) writeFileSync(file, piece, { flag: "a" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  }
}
