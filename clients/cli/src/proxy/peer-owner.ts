import { readFileSync } from "node:fs";
import type { Socket } from "node:net";

/**
 * Whether a connection to a loopback port comes from another user of this computer; undefined where the system does not
 * tell. Linux lists every connection with the user that owns its socket (proc_net_tcp(5)).
 */
export function isOtherUser(socket: Socket): boolean | undefined {
  const me = process.getuid?.();
  const { remotePort, localPort } = socket;
  if (me === undefined || remotePort === undefined || localPort === undefined) return undefined;
  for (const file of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    const owner = ownerIn(file, hexPort(remotePort), hexPort(localPort));
    if (owner !== undefined) return owner !== me && owner !== 0;
  }
  return undefined;
}

// The tool's end of the connection: its own port is the one that is remote to us.
function ownerIn(file: string, toolPort: string, ourPort: string): number | undefined {
  try {
    for (const line of readFileSync(file, "latin1").split("\n").slice(1)) {
      const [, local = "", remote = "", state, , , , uid] = line.trim().split(/\s+/);
      if (local.endsWith(`:${toolPort}`) && remote.endsWith(`:${ourPort}`) && state === "01")
        return Number(uid);
    }
  } catch {
    return undefined;
  }
  return undefined;
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}
