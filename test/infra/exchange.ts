import type { ClientHttp2Session } from "node:http2";

/** What a raw request was answered with. */
export type Answer = { readonly status: number; readonly text: string };

/** POSTs a body with just these headers over a connection of HTTP/2, signed or not, and waits for the whole answer. */
export function exchange(
  session: ClientHttp2Session,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const stream = session.request({ ":method": "POST", ":path": path, ...headers });
  let [status, text] = [0, ""];
  stream.setEncoding("utf8");
  stream
    .on("response", (response) => (status = response[":status"] ?? 0))
    .on("data", (data: string) => (text += data))
    .once("end", () => resolve({ status, text }))
    .once("error", reject);
  stream.end(body);
  return promise;
}
