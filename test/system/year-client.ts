/**
 * A client that stays open for a year: for each line on its input, the path of a machine's identity
 * file, it reads all that was granted to that machine, and prints one line of JSON: the values by
 * name, or the reason for which it was refused. A machine that was named before is asked for by the
 * same client, over the connection that it kept.
 */
import { createInterface } from "node:readline";
import { type Sallyport, openSallyport, toSallyportError } from "@sallyport/client";
import { loadIdentity } from "@sallyport/client/identity";

const clients = new Map<string, Sallyport>();

async function clientOf(path: string): Promise<Sallyport> {
  const known = clients.get(path);
  if (known) return known;
  const opened = openSallyport(await loadIdentity(path));
  clients.set(path, opened);
  return opened;
}

async function answer(path: string): Promise<unknown> {
  try {
    const results = await (await clientOf(path)).read({ allGranted: true });
    return results.map((result) =>
      result.kind === "value"
        ? [result.name, Buffer.from(result.plaintext).toString()]
        : [result.kind],
    );
  } catch (error) {
    const { reason, message } = toSallyportError(error);
    return { reason, message };
  }
}

for await (const path of createInterface({ input: process.stdin }))
  process.stdout.write(`${JSON.stringify(await answer(path))}\n`);
for (const client of clients.values()) client.close();
