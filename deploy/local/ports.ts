import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Says that the gateway's port is taken. */
export class PortInUseError extends Error {
  override readonly name = "PortInUseError";
}

/** Finds a TCP port on the loopback that is free now. */
export async function freePort(): Promise<number> {
  return bind(0);
}

/**
 * Makes sure that a port can be listened on. A gateway that a killed supervisor left behind needs a moment to go, so a
 * taken port is tried for `patienceMs` before PortInUseError.
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

function bind(port: number): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      const bound = typeof address === "object" && address ? address.port : port;
      server.close(() => resolve(bound));
    });
  });
}
