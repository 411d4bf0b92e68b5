import { randomInt } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Says that the gateway's port cannot be had. */
export class PortInUseError extends Error {
  override readonly name = "PortInUseError";
}

const lowestPort = 10_240;
const highestPort = 32_767;
const tries = 100;
const given = new Set<number>();

/**
 * Finds a TCP port on the loopback that is free now, and that this process was not given before. It
 * is below those that systems take for outgoing connections, since one of these would take it
 * before it is listened on.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < tries; attempt += 1) {
    const port = randomInt(lowestPort, highestPort + 1);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
  throw new PortInUseError(`no free port was found between ${lowestPort} and ${highestPort}`);
}

function isFree(port: number): Promise<boolean> {
  return bind(port).then(
    () => true,
    () => false,
  );
}

/**
 * Throws PortInUseError for a port that Linux keeps for root: the gateway is no longer root when it
 * listens.
 */
export function requireOpenPort(port: number): void {
  const file = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
  const lowest = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  if (port >= lowest) return;
  throw new PortInUseError(
    `port ${port} is root's, and the gateway does not run as root: use --port ${lowest} or more, ` +
      `and lead ${port} to it, or allow it with \`sysctl ` +
      `net.ipv4.ip_unprivileged_port_start=${port}\``,
  );
}

/**
 * Makes sure that a port can be listened on. A gateway that a killed supervisor left behind needs a
 * moment to go, so a taken port is tried for `patienceMs` before PortInUseError.
 */
export async function requirePort(port: number, patienceMs: number): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    try {
      await bind(port);
      return;
    } catch (error) {
      if (Date.now() >= deadline) {
        throw new PortInUseError(
          `port ${port} is in use: stop what listens there, or choose another with --port`,
          { cause: error },
        );
      }
      await sleep(200);
    }
  }
}

function bind(port: number): Promise<void> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => server.close(() => resolve()));
  });
}
