import { type History, clientKinds, requestsOf } from "./history.ts";

/** How often each kind of client was told what. */
export function summaryOf(history: History): string {
  return clientKinds
    .map((kind) => {
      const counts = new Map<string, number>();
      for (const { answer } of requestsOf(history, kind)) {
        const what =
          answer.kind === "refused"
            ? answer.reason
            : answer.kind === "unanswered"
              ? `unanswered (${answer.cause})`
              : answer.kind;
        counts.set(what, (counts.get(what) ?? 0) + 1);
      }
      return `${kind}: ${[...counts].map(([what, count]) => `${count} ${what}`).join(", ")}`;
    })
    .join("\n");
}
