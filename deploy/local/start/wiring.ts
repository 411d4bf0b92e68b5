import type { Process } from "../data/layout.ts";

/** A server that processes keep their state in. */
export type Server = "postgres" | "redis";

/**
 * How the processes of a deployment reach each other and what they start with. A test may put
 * something of its own between two of them; everybody else has the direct wiring.
 */
export type Wiring = {
  /** The loopback port at which `from` is told to find `to`, which listens on `port`. */
  port(from: Process, to: Process, port: number): number;
  /**
   * The Unix socket at which `from` is told to find the server, which listens on `path`. The file's
   * name is kept.
   */
  socket(from: Process, to: Server, path: string): string;
  /**
   * What is added to the environment of a process at each of its starts; `folder` is the one that
   * it may read.
   */
  environment(name: Process, folder: string): Readonly<Record<string, string>>;
};

/** Nothing in between, nothing added. */
export const direct: Wiring = {
  port: (_from, _to, port) => port,
  socket: (_from, _to, path) => path,
  environment: () => ({}),
};
