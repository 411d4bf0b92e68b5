import type { Socket } from "node:net";
import { type ProxyHeader, ProxyHeaderError, parseProxyHeader } from "./proxy-header.ts";

/**
 * Receives the PROXY header of a connection, within so many milliseconds, and leaves what follows
 * it to be read. Rejects with ProxyHeaderError when there is none.
 */
export function receiveProxyHeader(socket: Socket, withinMs: number): Promise<ProxyHeader> {
  const { promise, resolve, reject } = Promise.withResolvers<ProxyHeader>();
  let bytes = Buffer.alloc(0);
  const end = (error: unknown): void => {
    stop();
    reject(error);
  };
  const broken = (): void => end(new ProxyHeaderError("the connection ended before it was there"));
  const look = (): void => {
    for (let chunk = next(socket); chunk; chunk = next(socket))
      bytes = Buffer.concat([bytes, chunk]);
    try {
      const header = parseProxyHeader(bytes);
      if (!header) return;
      stop(); // At once: what is put back would be read here again.
      if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length));
      resolve(header);
    } catch (error) {
      end(error);
    }
  };
  const timer = setTimeout(() => end(new ProxyHeaderError("it did not come in time")), withinMs);
  const listeners = { readable: look, end: broken, close: broken, error: broken };
  const stop = (): void => {
    clearTimeout(timer);
    for (const [event, listener] of Object.entries(listeners)) socket.off(event, listener);
  };
  for (const [event, listener] of Object.entries(listeners)) socket.on(event, listener);
  return promise;
}

function next(socket: Socket): Buffer | null {
  return socket.read() as Buffer | null;
}
