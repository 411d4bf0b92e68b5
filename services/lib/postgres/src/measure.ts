import { type SpanAttributes, histogram, inSpan, observe } from "@sallyport/telemetry";
import { DatabaseError, type Pool } from "pg";

const duration = histogram("db.client.operation.duration");

type Summary = {
  readonly name: string;
  readonly operation: string;
  readonly attributes: SpanAttributes;
};

const summaries = new Map<string, Summary>();

/**
 * Measures a statement, and makes it a span while its trace is recorded. Security: of the statement
 * only its first word and the name of its first table are exported, never its text and never a
 * value.
 */
export function measured<T>(text: string, run: () => Promise<T>): Promise<T> {
  const { name, operation, attributes } = summaryOf(text);
  const begunMs = performance.now();
  const conclude = (type: string): void => {
    const labels = {
      "db.system.name": "postgresql",
      "db.operation.name": operation,
      "error.type": type,
    };
    duration((performance.now() - begunMs) / 1000, labels);
  };
  return inSpan({ name, kind: "client", attributes }, async (span) => {
    try {
      const result = await run();
      conclude("");
      return result;
    } catch (error) {
      const type = typeOf(error);
      span.set({ "error.type": type });
      conclude(type);
      throw error;
    }
  });
}

/**
 * Returns "SELECT records" for a statement, and its parts. Statements are part of the program, so
 * they are few.
 */
export function summaryOf(text: string): Summary {
  const known = summaries.get(text);
  if (known) return known;
  const operation = /^\s*([a-z]+)/i.exec(text)?.[1]?.toUpperCase() ?? "OTHER";
  const table = /\b(?:from|into|update|join)\s+(?!unnest\b|lateral\b)([a-z_]+)/i.exec(text)?.[1];
  const summary: Summary = {
    name: table === undefined ? operation : `${operation} ${table}`,
    operation,
    attributes: {
      "db.system.name": "postgresql",
      "db.operation.name": operation,
      ...(table === undefined ? {} : { "db.collection.name": table }),
    },
  };
  summaries.set(text, summary);
  return summary;
}

// The server's code for what went wrong, a list of its own; the driver's faults have none.
function typeOf(error: unknown): string {
  return error instanceof DatabaseError && error.code !== undefined ? error.code : "connection";
}

/** Has a pool's connections looked at with every look at the metrics. */
export function observePool(pool: Pool, name: string, max: number): Disposable {
  using stack = new DisposableStack();
  const named = { "db.client.connection.pool.name": name };
  stack.use(
    observe("db.client.connection.count", () => [
      { value: pool.idleCount, labels: { ...named, "db.client.connection.state": "idle" } },
      {
        value: pool.totalCount - pool.idleCount,
        labels: { ...named, "db.client.connection.state": "used" },
      },
    ]),
  );
  stack.use(observe("db.client.connection.max", () => [{ value: max, labels: named }]));
  stack.use(
    observe("db.client.connection.pending_requests", () => [
      { value: pool.waitingCount, labels: named },
    ]),
  );
  return stack.move();
}
