import { type Socket, connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * What a link does to what passes: nothing; refuse and break everything; hold everything back while
 * connections stay; or deliver everything so many milliseconds later.
 */
export type LinkState = "open" | "cut" | "held" | { readonly slowMs: number };

/** A proxy between two processes, at a port or the path of a Unix socket. */
export type Link = AsyncDisposable & {
  readonly address: number | string;
  /** Where it leads to; until it is told, connections are refused. */
  leadTo(target: number | string): void;
  set(state: LinkState): void;
};

/** Opens a link on a free port of the loopback (0) or on a Unix socket. */
export async function openLink(listenAt: 0 | string): Promise<Link> {
  let state: LinkState = "open";
  let target: number | string | undefined;
  let released = Promise.withResolvers<void>();
  released.resolve();
  const sockets = new Set<Socket>();

  async function passes(): Promise<void> {
    if (typeof state === "object") await sleep(state.slowMs);
    await released.promise;
  }

  // What comes later also leaves later, whatever the link does meanwhile.
  function forward(from: Socket, to: Socket): void {
    let last = Promise.resolve();
    const inTurn = (action: () => void): void => {
      const passed = passes();
      last = last.then(() => passed).then(() => (to.destroyed ? undefined : action()));
    };
    from.on("data", (chunk: Buffer) => inTurn(() => void to.write(chunk)));
    from.on("end", () => inTurn(() => to.end()));
    from.on("close", () => inTurn(() => to.destroy()));
    from.on("error", () => undefined);
  }

  const server = createServer({ allowHalfOpen: true }, (inner) => {
    if (state === "cut" || target === undefined) {
      inner.destroy();
      return;
    }
    const outer = typeof target === "number" ? connect(target, "127.0.0.1") : connect(target);
    for (const socket of [inner, outer]) {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    }
    outer.once("error", () => inner.destroy());
    forward(inner, outer);
    forward(outer, inner);
  });
  const breakAll = (): void => sockets.forEach((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    if (listenAt === 0) server.listen(0, "127.0.0.1", resolve);
    else server.listen({ path: listenAt, readableAll: true, writableAll: true }, resolve);
  });
  const address = server.address();
  return {
    address: typeof address === "object" && address ? address.port : listenAt,
    leadTo: (there) => void (target = there),
    set(next) {
      if (state === "held") released.resolve();
      state = next;
      if (next === "held") released = Promise.withResolvers();
      if (next === "cut") breakAll();
    },
    async [Symbol.asyncDispose]() {
      released.resolve();
      breakAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
