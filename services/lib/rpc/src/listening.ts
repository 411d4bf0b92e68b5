import type { Server } from "node:net";
import type { ListenAddress } from "@sallyport/config";

/** Has a server listen, and resolves with its port. Rejects when the address cannot be used. */
export function listening(
  server: Pick<Server, "once" | "off" | "listen" | "address">,
  { host, port }: ListenAddress,
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      const address = server.address();
      if (address === null || typeof address === "string")
        reject(new Error("the server has no port"));
      else resolve(address.port);
    });
  });
}
