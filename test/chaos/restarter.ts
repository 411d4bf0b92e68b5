import { setTimeout as sleep } from "node:timers/promises";
import type { Process, Server, System } from "@sallyport/deploy/local";

/**
 * Restarts what ends in a deployment, as the service manager of a real one does: a process after
 * 100 ms, Postgres and Redis after 500 ms, again and again until they are up. Disposed before the
 * deployment.
 */
export type Restarter = Disposable & {
  readonly onEnd: (name: Process | Server) => void;
  /** Restarts nothing before it knows the deployment. */
  serve(system: System): void;
};

/** Makes the restarter of one deployment. */
export function createRestarter(): Restarter {
  const system = Promise.withResolvers<System>();
  let isOver = false;
  async function restart(name: Process | Server): Promise<void> {
    const deployment = await system.promise;
    const isServer = name === "postgres" || name === "redis";
    for (let isUp = false; !isUp;) {
      await sleep(isServer ? 500 : 100);
      if (isOver) return;
      const start = isServer ? deployment.startServer(name) : deployment.startProcess(name);
      isUp = await start.then(
        () => true,
        () => false,
      );
    }
  }
  return {
    onEnd: (name) => void restart(name),
    serve: system.resolve,
    [Symbol.dispose]: () => {
      isOver = true;
    },
  };
}
