import { readFileSync } from "node:fs";
import type { Socket } from "node:net";

/**
 * Whether a connection to a loopback port comes from another user of this computer; undefined where the system does not
 * tell. Linux lists every connection with the user that owns its socket (proc_net_tcp(5)).
 *
 * Security: the ports alone do not name a connection: another user can take the port of one that is this user's, on
 * another address of the loopback. So everyone who has one between these two ports has to be this user.
 */
export function isOtherUser(socket: Socket): boolean | undefined {
  const me = process.getuid?.();
  const { remotePort, localPort } = socket;
  if (me === undefined || remotePort === undefined || localPort === undefined) return undefined;
  const owners = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) =>
    ownersIn(file, hexPort(remotePort), hexPort(localPort)),
  );
  return owners.length === 0 ? undefined : owners.some((owner) => owner !== me && owner !== 0);
}

// The tool's end of the connection: its own port is the one that is remote to us.
function ownersIn(file: string, toolPort: string, ourPort: string): number[] {
  try {
    const connections = readFileSync(file, "latin1").split("\n").slice(1);
    return connections.flatMap((line) => {
      const [, local = "", remote = "", state, , , , uid] = line.trim().split(/\s+/);
      const isTool = local.endsWith(`:${toolPort}`) && remote.endsWith(`:${ourPort}`) && state === "01";
      return isTool ? [Number(uid)] : [];
    });
  } catch {
    return [];
  }
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}
