import { readFileSync } from "node:fs";
import type { Socket } from "node:net";

/** One row of the kernel's tables of TCP connections. */
type Row = { readonly state: string; readonly owner: number };

const established = "01";

/**
 * Tells whether Linux shows a loopback connection's other end as a socket of this user or of root
 * (proc_net_tcp(5)). On other systems it is always true: they do not tell. It stands behind the
 * port's secret and not in its place.
 *
 * Security: fails closed. A connection without a row is refused, and so is one that its tool
 * half-closed: a socket that no process holds any more may be listed as root's, independent of its
 * creator. The ports alone do not name a connection: another user can take the port of one that is
 * this user's, on another address of the loopback. So every row between these two ports has to
 * pass.
 */
export function isOwnConnection({ remotePort, localPort }: Socket): boolean {
  if (process.platform !== "linux") return true;
  if (remotePort === undefined || localPort === undefined) return false;
  const rows = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) =>
    rowsIn(file, hexPort(remotePort), hexPort(localPort)),
  );
  const me = process.getuid?.();
  return (
    rows.length > 0 &&
    rows.every(({ state, owner }) => state === established && (owner === me || owner === 0))
  );
}

// The tool's end of the connection: its own port is the one that is remote to us.
function rowsIn(file: string, toolPort: string, ourPort: string): Row[] {
  try {
    const connections = readFileSync(file, "latin1").split("\n").slice(1);
    return connections.flatMap((line) => {
      const [, local = "", remote = "", state = "", , , , uid] = line.trim().split(/\s+/);
      const isTool = local.endsWith(`:${toolPort}`) && remote.endsWith(`:${ourPort}`);
      return isTool ? [{ state, owner: Number(uid) }] : [];
    });
  } catch {
    return [];
  }
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}
