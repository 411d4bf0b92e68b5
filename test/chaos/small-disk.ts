import { execFileSync } from "node:child_process";
import { chownSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { System } from "@sallyport/deploy/local";
import { asSuperuser } from "./database.ts";

/** A disk of a few MB that holds the tables of audit, and nothing else. */
export type SmallDisk = Disposable & {
  /** Takes what is left of it. */
  fill(): void;
  /** Gives that back. */
  free(): void;
};

const sizeMb = 64;

/**
 * Moves the tables of the log to a disk of their own, a small tmpfs, which only root can mount; returns the reason where
 * that is impossible. Postgres's own log of changes stays where it was.
 */
export async function moveLogToSmallDisk(system: System): Promise<SmallDisk | string> {
  const dir = mkdtempSync(join(tmpdir(), "sp-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeMb}m,mode=0755`, "tmpfs", dir], {
      stdio: "pipe",
    });
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    return `no small disk can be mounted here: ${error instanceof Error ? error.message.split("\n")[0] : ""}`;
  }
  const filler = join(dir, "filler");
  // Postgres leaves last: what it holds open would keep the disk busy, so it is let go of at once and freed then.
  const unmount = (): void => {
    execFileSync("umount", ["--lazy", dir], { stdio: "pipe" });
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const { uid, gid } = statSync(join(system.layout.postgres, "cluster"));
    chownSync(dir, uid, gid);
    await asSuperuser(system, async (client) => {
      await client.query(`create tablespace small location '${dir}'`);
      await client.query("grant create on tablespace small to sallyport_audit_owner");
      await client.query(
        "alter table all in tablespace pg_default owned by sallyport_audit_owner set tablespace small",
      );
      await client.query(
        "alter index all in tablespace pg_default owned by sallyport_audit_owner set tablespace small",
      );
    });
  } catch (error) {
    unmount();
    throw error;
  }
  return {
    fill() {
      const chunk = Buffer.alloc(64 * 1024);
      const page = Buffer.alloc(4096);
      for (const piece of [chunk, page]) {
        try {
          for (;;) writeFileSync(filler, piece, { flag: "a" });
        } catch (error) {
          if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
        }
      }
    },
    free: () => rmSync(filler, { force: true }),
    [Symbol.dispose]: () => {
      if (readdirSync(dir).length > 0) unmount();
    },
  };
}
