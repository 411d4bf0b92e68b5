import { lstatSync, unlinkSync } from "node:fs";
import { type Server, connect } from "node:net";
import { dirname } from "node:path";
import { CliError } from "../app/failure.ts";
import { checkOwnFolder } from "./folder.ts";

// Largest path of a sockaddr_un, without its final zero byte: 108 bytes on Linux with it, 104
// elsewhere. A longer path would be truncated.
const maxPathBytes = process.platform === "linux" ? 107 : 103;

/**
 * Has a server listen on a socket of mode 0600 in a folder that is closed to others; one that is
 * left over from an earlier run is taken. Throws LISTEN_FAILED, or what the system says.
 */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > maxPathBytes)
    throw new CliError("LISTEN_FAILED", `the path of a socket has at most ${maxPathBytes} bytes`, {
      next: `choose a shorter one than ${path} with --socket`,
    });
  checkOwnFolder(dirname(path));
  await removeStale(path);
  const umask = process.umask(0o177); // From its first moment on nobody else may open it.
  try {
    server.listen(path);
  } finally {
    process.umask(umask);
  }
}

// Only our own socket that refuses connections is left over: anything else is not ours to remove.
async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) throw new Error("a file that is no socket is there");
  const me = process.getuid?.();
  if (me !== undefined && found.uid !== me) throw new Error("a socket of another user is there");
  const refused = await new Promise<boolean>((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(false);
    }).on("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
  if (!refused) throw new Error("another program listens there");
  unlinkSync(path);
}
