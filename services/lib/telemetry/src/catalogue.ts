/** The kind of a metric: a sum that only grows, a value of the moment, or a distribution. */
export type MetricKind = "counter" | "gauge" | "histogram";

/**
 * The definition of a metric. Names are OpenTelemetry's, and its conventions' where those have one.
 */
export type MetricDefinition = {
  readonly kind: MetricKind;
  /** UCUM: "s", "By", or what is counted in braces. */
  readonly unit: string;
  readonly help: string;
  /** Its labels. Every value of one must come from a list that is part of the program. */
  readonly labels: readonly string[];
  /** Upper bounds of a histogram's buckets, in its unit. */
  readonly bounds?: readonly number[];
};

// From a look-up in memory to the deadline of a call.
const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/**
 * Every metric of every process; what is not here does not compile. Security: no label names a
 * principal, a vault, a project, a secret, an address or a request, so neither who comes nor how
 * many changes the number of series.
 */
export const catalogue = {
  "rpc.server.call.duration": {
    kind: "histogram",
    unit: "s",
    help: "Calls that were served, the gateway's public requests among them",
    labels: ["rpc.method", "rpc.response.status_code", "error.type"],
    bounds: seconds,
  },
  "rpc.client.call.duration": {
    kind: "histogram",
    unit: "s",
    help: "Calls to other processes",
    labels: ["rpc.method", "rpc.response.status_code", "error.type"],
    bounds: seconds,
  },
  "db.client.operation.duration": {
    kind: "histogram",
    unit: "s",
    help: "Statements of Postgres and commands of Redis",
    labels: ["db.system.name", "db.operation.name", "error.type"],
    bounds: seconds,
  },
  "db.client.connection.count": {
    kind: "gauge",
    unit: "{connection}",
    help: "Connections of a pool, in use and idle",
    labels: ["db.client.connection.pool.name", "db.client.connection.state"],
  },
  "db.client.connection.max": {
    kind: "gauge",
    unit: "{connection}",
    help: "Most connections that a pool may open",
    labels: ["db.client.connection.pool.name"],
  },
  "db.client.connection.pending_requests": {
    kind: "gauge",
    unit: "{request}",
    help: "Requests that wait for a connection of a pool",
    labels: ["db.client.connection.pool.name"],
  },
  "sallyport.secret.reads": {
    kind: "counter",
    unit: "{secret}",
    help: "Secrets that were recorded and opened, by whether the reply was sealed",
    labels: ["sealed"],
  },
  "sallyport.secret.refusals": {
    kind: "counter",
    unit: "{secret}",
    help: "Secrets, or requests that found none, that policy refused to have read",
    labels: ["reason"],
  },
  "sallyport.verify.refusals": {
    kind: "counter",
    unit: "{request}",
    help: "Requests refused by a step of their verification",
    labels: ["step"],
  },
  "sallyport.limit.requests": {
    kind: "counter",
    unit: "{request}",
    help: "Requests allowed or refused by a limit",
    labels: ["limit", "outcome"],
  },
  "sallyport.limit.addresses": {
    kind: "gauge",
    unit: "{address}",
    help: "Addresses with a token bucket in memory",
    labels: ["limit"],
  },
  "sallyport.limit.addresses.max": {
    kind: "gauge",
    unit: "{address}",
    help: "Capacity for token buckets of addresses",
    labels: ["limit"],
  },
  "sallyport.in_flight.requests": {
    kind: "gauge",
    unit: "{request}",
    help: "Requests being processed: concurrency slots taken",
    labels: [],
  },
  "sallyport.in_flight.max": {
    kind: "gauge",
    unit: "{request}",
    help: "Concurrency limit: the most requests processed at once",
    labels: [],
  },
  "sallyport.connections": {
    kind: "gauge",
    unit: "{connection}",
    help: "Open public connections, those in their handshake included",
    labels: [],
  },
  "sallyport.content.memory.usage": {
    kind: "gauge",
    unit: "By",
    help: "Memory held by the contents of open requests",
    labels: [],
  },
  "sallyport.content.memory.limit": {
    kind: "gauge",
    unit: "By",
    help: "Bound on the memory of contents of open requests",
    labels: [],
  },
  "sallyport.cache.lookups": {
    kind: "counter",
    unit: "{lookup}",
    help: "Look-ups in a cache, by whether it had the answer",
    labels: ["cache", "result"],
  },
  "sallyport.cache.entries": {
    kind: "gauge",
    unit: "{entry}",
    help: "Entries that a cache holds",
    labels: ["cache"],
  },
  "sallyport.audit.queue.length": {
    kind: "gauge",
    unit: "{record}",
    help: "Records that wait to be written or are being written",
    labels: [],
  },
  "sallyport.audit.queue.max": {
    kind: "gauge",
    unit: "{record}",
    help: "Most records that may wait; more are refused as unavailable",
    labels: [],
  },
  "sallyport.audit.batch.size": {
    kind: "histogram",
    unit: "{record}",
    help: "Records of a batch, which is committed at once",
    labels: [],
    bounds: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
  },
  "sallyport.audit.commit.duration": {
    kind: "histogram",
    unit: "s",
    help: "Commits of batches, from look-up to acknowledgement",
    labels: ["outcome"],
    bounds: seconds,
  },
  "sallyport.outbox.pending": {
    kind: "gauge",
    unit: "{event}",
    help: "Events that are committed and not yet in the log",
    labels: [],
  },
  "sallyport.trace.spans": {
    kind: "counter",
    unit: "{span}",
    help: "Spans that were made, that the collector took, and that were lost because it did not",
    labels: ["outcome"],
  },
  "nodejs.eventloop.delay.mean": {
    kind: "gauge",
    unit: "s",
    help: "Mean delay of the event loop since the last look",
    labels: [],
  },
  "nodejs.eventloop.delay.p99": {
    kind: "gauge",
    unit: "s",
    help: "99th percentile of the event loop's delay since the last look",
    labels: [],
  },
  "nodejs.eventloop.delay.max": {
    kind: "gauge",
    unit: "s",
    help: "Longest delay of the event loop since the last look",
    labels: [],
  },
  "process.cpu.time": {
    kind: "counter",
    unit: "s",
    help: "Processor time that the process has used",
    labels: ["cpu.mode"],
  },
  "process.memory.usage": {
    kind: "gauge",
    unit: "By",
    help: "Resident memory of the process",
    labels: [],
  },
  "v8js.memory.heap.used": {
    kind: "gauge",
    unit: "By",
    help: "Used memory of the JavaScript heap",
    labels: [],
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

type Catalogue = typeof catalogue;

/** The name of a metric of that kind. */
export type MetricName<K extends MetricKind = MetricKind> = {
  [N in keyof Catalogue]: Catalogue[N]["kind"] extends K ? N : never;
}[keyof Catalogue];

/** A value for every label of a metric; "" for one that does not apply. */
export type LabelsOf<N extends MetricName> = {
  readonly [L in Catalogue[N]["labels"][number]]: string;
};

/** The name under which Prometheus shows a metric: with its unit, and a counter as a total. */
export function prometheusName(name: MetricName): string {
  const { kind } = catalogue[name];
  const shown = exposedName(name).replaceAll(/[^a-z0-9_]/g, "_");
  return kind === "counter" ? `${shown}_total` : shown;
}

/**
 * The name that the instrument bears: the catalogue's, with the unit that Prometheus wants to see
 * in it.
 */
export function exposedName(name: MetricName): string {
  const { unit } = catalogue[name];
  if (unit === "s") return `${name}.seconds`;
  return unit === "By" ? `${name}.bytes` : name;
}
