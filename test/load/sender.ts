import { connectFrom, reasonIn } from "../infra/exchange.ts";
import type { Sample } from "./plan.ts";
import type { Prepared } from "./prepared.ts";

/** Sends requests over sessions of HTTP/2 from loopback addresses, each in turn. */
export type Sender = {
  /**
   * Resolves when it is answered or cannot be any more; never rejects. Times are of
   * performance.now().
   */
  send(request: Prepared, begunMs: number, dueMs: number): Promise<Sample>;
  close(): void;
};

const sessionsEach = 2;

/** Opens the sessions. */
export async function openSender(
  authority: string,
  ca: string,
  addresses: readonly string[],
): Promise<Sender> {
  const sessions = addresses.flatMap((address) =>
    Array.from({ length: sessionsEach }, () =>
      connectFrom(address, { url: `https://${authority}`, ca }).on("error", () => undefined),
    ),
  );
  await Promise.all(
    sessions.map((session) => new Promise((resolve) => session.once("connect", resolve))),
  );
  let next = 0;
  return {
    send({ headers, body }, begunMs, dueMs) {
      const session = sessions[next % sessions.length];
      next += 1;
      const told = (outcome: string, delayed = false): Sample => {
        return { dueMs: dueMs - begunMs, tookMs: performance.now() - dueMs, outcome, delayed };
      };
      return new Promise((resolve) => {
        if (!session || session.destroyed) return resolve(told("broken"));
        const stream = session.request(headers);
        let [status, text] = [0, ""];
        stream
          .on("response", (response) => (status = response[":status"] ?? 0))
          .on("data", (data: Buffer) => (text += status === 200 ? "" : data.toString()))
          .once("end", () =>
            resolve(told(status === 200 ? "ok" : (reasonIn(text) ?? "broken"), isDelayed(text))),
          )
          .once("close", () => resolve(told("broken")))
          .once("error", () => resolve(told("broken")));
        stream.end(body);
      });
    },
    close() {
      for (const session of sessions) session.close();
    },
  };
}

const isDelayed = (text: string): boolean => text.includes("google.rpc.RetryInfo");
