import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Process, processes } from "@sallyport/deploy/local";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { catalogue, prometheusName } from "@sallyport/telemetry";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parse } from "yaml";
import {
  type Collector,
  type ReceivedSpan,
  type ShownMetric,
  parseMetrics,
  seriesOf,
  startCollector,
} from "../infra/index.ts";
import { startMainJob } from "./deployment.ts";
import { type ObservedJob, lieAsGateway, machineDay, scrape, signRead } from "./observed.ts";
import { metricsIn } from "./promql.ts";
import { sendSigned } from "./signed.ts";

const repository = join(import.meta.dirname, "..", "..");
const read = (...path: string[]): string => readFileSync(join(repository, ...path), "utf8");

const patience = { timeout: 30_000, interval: 200 };
const traceId = "c0ffee00c0ffee00c0ffee00c0ffee00";
let collector: Collector;
let job: ObservedJob;
let machines: string[];
let watched: ReturnType<typeof signRead>;
let shown: ReadonlyMap<Process, string>;

beforeAll(async () => {
  collector = await startCollector();
  const values = {
    DB_URL: "canary-value-db",
    API_KEY: "canary-value-key",
    OTHER: "canary-value-other",
  };
  job = await startMainJob(values, { otlpUrl: collector.url, traceRatio: "1" });
  machines = [(await machineDay(job, "canary-machine")).principalId];
  await lieAsGateway(job);
  watched = signRead(job.machine, job.granted);
  await sendSigned(job.machine, watched, {
    traceparent: `00-${traceId}-b7ad6b7169203331-00`,
    tracestate: "canary=state",
    baggage: "canary=baggage",
    "user-agent": "canary-agent/1.0",
    "x-canary": "canary-header",
  });
  // A process tells of its spans in the order in which they end, and not always of all at once.
  const told = (): void => expect(lastOnTheWay.filter((last) => !isTold(last))).toEqual([]);
  await vi.waitFor(told, patience);
  shown = await scrape(job.deployment.system);
});
afterAll(async () => {
  job.admin.close();
  await job.deployment[Symbol.asyncDispose]();
  await collector[Symbol.asyncDispose]();
});

/**
 * The processes that a read passes; it passes identity too when the machine's key is not in the
 * gateway's cache.
 */
const onTheWay = new Set(
  ["gateway", "policy", "secrets", "crypto", "audit"].map((name) => `sallyport-${name}`),
);

/** The span of the watched read that ends last in each of them. */
const lastOnTheWay = [
  "sallyport-gateway ReadService/ReadSecrets",
  "sallyport-policy AuthorizationService/Authorize",
  "sallyport-secrets FetchService/Fetch",
  "sallyport-crypto OpenService/Open",
  "sallyport-audit AppendService/Append",
];

/**
 * Whether a process, the first word, has told of a span of the watched read whose name ends with
 * the second.
 */
function isTold(last: string): boolean {
  const [service = "", name = ""] = last.split(" ");
  return spansOf(service).some((span) => span.kind === 2 && span.name.endsWith(name));
}

/** The spans of the watched read that a process made. */
function spansOf(service: string): ReceivedSpan[] {
  return collector.spans.filter((span) => span.traceId === traceId && span.service === service);
}

function spanNamed(service: string, name: string): ReceivedSpan {
  const [span, ...more] = spansOf(service).filter((candidate) => candidate.name.endsWith(name));
  expect(more, `${service} has one span ${name}`).toEqual([]);
  if (!span) throw new Error(`${service} has no span ${name}`);
  return span;
}

describe("the trace of one read", () => {
  test("goes through gateway, policy, secrets, crypto and audit, each hop the child of the one before", async () => {
    const [gateway = "", policy = "", secrets = "", crypto = "", audit = ""] = onTheWay;
    const hops: readonly (readonly [from: string, to: string, method: string])[] = [
      [gateway, policy, "AuthorizationService/Authorize"],
      [gateway, secrets, "FetchService/Fetch"],
      [gateway, crypto, "OpenService/Open"],
      [crypto, audit, "AppendService/Append"],
    ];
    for (const [from, to, method] of hops) {
      const [called, served] = [spanNamed(from, method), spanNamed(to, method)];
      expect([called.kind, served.kind]).toEqual([3, 2]);
      expect(served.parentSpanId, `${to} serves what ${from} called`).toBe(called.spanId);
    }
    const root = spanNamed(gateway, "ReadService/ReadSecrets");
    expect(root).toMatchObject({ kind: 2, parentSpanId: "b7ad6b7169203331", failed: false });
    for (const name of ["Authorize", "Fetch", "Open", "EVALSHA"])
      expect(spanNamed(gateway, name).parentSpanId).toBe(root.spanId);
    const open = spanNamed(crypto, "OpenService/Open");
    for (const name of ["verify", "record", "open"])
      expect(spanNamed(crypto, name)).toMatchObject({ kind: 1, parentSpanId: open.spanId });
    expect(spanNamed(crypto, "AppendService/Append").parentSpanId).toBe(
      spanNamed(crypto, "record").spanId,
    );
    const commit = spanNamed(audit, "commit batch");
    expect(commit.parentSpanId).toBe(spanNamed(audit, "AppendService/Append").spanId);
    expect(spanNamed(audit, "INSERT records").parentSpanId).toBe(commit.spanId);
    for (const [owner, method] of [
      [policy, "Authorize"],
      [secrets, "Fetch"],
    ] as const) {
      const statements = spansOf(owner).filter(
        ({ attributes }) => attributes["db.system.name"] === "postgresql",
      );
      expect(new Set(statements.map(({ parentSpanId }) => parentSpanId))).toEqual(
        new Set([spanNamed(owner, method).spanId]),
      );
    }
  });

  test("is in the logs of who refuses, under the request's id", async () => {
    const machine = job.machine;
    const refused = "facade00facade00facade00facade00";
    await sendSigned(machine, signRead(machine, [job.ids["OTHER"] ?? ""]), {
      traceparent: `00-${refused}-b7ad6b7169203331-01`,
    });
    const linesOf = (name: Process): Record<string, unknown>[] =>
      readFileSync(join(job.deployment.system.layout.logs, `${name}.log`), "utf8")
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    const find = () => linesOf("gateway").find((line) => line["trace_id"] === refused);
    await expect.poll(find, patience).toMatchObject({ reason: "NOT_GRANTED", msg: "refused" });
    const isTraceTold = () => collector.spans.some((span) => span.traceId === refused);
    await expect.poll(isTraceTold, patience).toBe(true);
    // What the test asked of the services for itself was in no trace.
    const traced = new Set(
      collector.spans.map(({ attributes }) => attributes["sallyport.request_id"]),
    );
    const isTraced = (line: Record<string, unknown>): boolean =>
      traced.has(String(line["request_id"]));
    const lines = processes.flatMap((name) => linesOf(name).filter(isTraced));
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) {
      expect(line["trace_id"], JSON.stringify(line)).toMatch(/^[0-9a-f]{32}$/);
      expect(line["span_id"], JSON.stringify(line)).toMatch(/^[0-9a-f]{16}$/);
    }
  });
});

const processTexts = (): string[] => [...shown.values()];

describe("what is told", () => {
  test("is none of the values, names, ids, tokens, keys, nonces, addresses and headers that were there", async () => {
    const [, , tokenId = "", vaultId = "", , seed = ""] =
      /^(sp_enr_)(.+?)\.(.+?)\.(.+?)\.(.+?)\./.exec(job.token) ?? [];
    const nonce = /nonce="([^"]+)"/.exec(watched.signatureInput)?.[1] ?? "";
    const planted = [
      "canary",
      "DB_URL",
      "API_KEY",
      "runner-1",
      "192.0.2.7",
      ...Object.values(job.ids),
      ...machines,
      job.projectId,
      job.machine.principalId,
      job.machine.seed,
      job.owner.principalId,
      job.owner.keyId,
      job.owner.vaultId,
      job.token,
      tokenId,
      vaultId,
      seed,
      nonce,
      watched.signature.slice(4, -1),
      watched.contentDigest.slice(9, -1),
    ];
    expect(planted.filter((text) => text.length < 6)).toEqual([]);
    for (const text of [collector.text(), ...processTexts()])
      for (const secret of planted) expect(text.includes(secret), secret).toBe(false);
    // Whatever we forgot to plant: no id of any kind, but of a request in a span.
    const ids = /\b(vlt|prj|sec|mch|usr|tok|pol|dec|evt|req)_[0-9a-z]{20}\b/g;
    expect(
      new Set(
        collector
          .text()
          .match(ids)
          ?.map((id) => id.slice(0, 4)),
      ),
    ).toEqual(new Set(["req_"]));
    for (const text of processTexts()) expect(text.match(ids)).toBeNull();
  });

  test("is of a closed list: every attribute of every span by its name and form", () => {
    const name = /^[a-z_]+$/;
    const forms: Readonly<Record<string, RegExp>> = {
      "rpc.system.name": /^connectrpc$/,
      "rpc.method": /^(sallyport|grpc)(\.[a-z0-9]+)+\.[A-Za-z]+\/[A-Za-z]+$/,
      "rpc.response.status_code": name,
      "error.type": /^([A-Z_]+|[0-9A-Z]{5}|connection)$/,
      "server.address": /^localhost$/,
      "server.port": /^\d+$/,
      "db.system.name": /^(postgresql|redis)$/,
      "db.operation.name": /^[A-Z]+$/,
      "db.collection.name": name,
      "sallyport.request_id": /^req_[0-9a-hjkmnp-tv-z]{20}$/,
      "sallyport.batch.size": /^\d+$/,
    };
    expect(collector.spans.length).toBeGreaterThan(50);
    for (const span of collector.spans) {
      expect(span.name).toMatch(
        /^([\w.]+\/\w+|[A-Z]+( [a-z_]+)?|verify|record|open|commit batch)$/,
      );
      for (const [key, value] of Object.entries(span.attributes))
        expect(String(value), `${span.name} ${key}`).toMatch(
          forms[key] ?? /^an attribute that is not known$/,
        );
    }
  });
});

/** The rows of the README's table: name, kind, labels, and by which processes. */
function documented(): Map<string, { kind: string; labels: string[]; by: readonly string[] }> {
  const text = read("services", "lib", "telemetry", "README.md");
  const [, table = ""] = /compared with the catalogue[^\n]*\n([\s\S]*?)\n\n/.exec(text) ?? [];
  const rows = [...table.matchAll(/^\| `(\w+)` \| (\w+) \| (.*?) ?\| (.+) \|$/gm)];
  return new Map(
    rows.map(([, name = "", kind = "", labels = "", by = ""]) => [
      name,
      {
        kind,
        labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = ""]) => label).toSorted(),
        by: by === "all" ? processes.toSorted() : by.split(", "),
      },
    ]),
  );
}

describe("metrics", () => {
  test("are those of the table, in kind, labels and processes", () => {
    const all = new Map<string, { kind: string; labels: string[]; by: string[] }>();
    for (const [process, text] of [...shown].toSorted(([a], [b]) => (a < b ? -1 : 1)))
      for (const [name, { type, labels }] of parseMetrics(text)) {
        const known = all.get(name);
        if (known) known.by.push(process);
        else all.set(name, { kind: type, labels: [...labels].toSorted(), by: [process] });
      }
    expect(Object.fromEntries(all)).toEqual(Object.fromEntries(documented()));
  });

  test("are those of the catalogue, and the table is too", () => {
    const known = Object.entries(catalogue).map(([name, { kind, labels }]) => [
      prometheusName(name as keyof typeof catalogue),
      { kind, labels: labels.map((label) => label.replaceAll(".", "_")).toSorted() },
    ]);
    const table = [...documented()].map(([name, { kind, labels }]) => [name, { kind, labels }]);
    expect(Object.fromEntries(table)).toEqual(Object.fromEntries(known));
  });

  test("count what happened", () => {
    const of = (process: Process, series: string) => seriesOf(shown.get(process) ?? "").get(series);
    expect(of("crypto", 'sallyport_secret_reads_total{sealed="true"}')).toBe(job.granted.length);
    expect(of("crypto", 'sallyport_secret_reads_total{sealed="false"}')).toBe(
      2 * job.granted.length,
    );
    expect(of("policy", 'sallyport_secret_refusals_total{reason="NOT_GRANTED"}')).toBe(1);
    expect(of("gateway", 'sallyport_verify_refusals_total{step="admission"}')).toBe(1);
    expect(of("gateway", 'sallyport_verify_refusals_total{step="content-digest"}')).toBe(1);
    for (const process of ["identity", "policy", "secrets", "audit", "crypto"] as const)
      expect(of(process, 'sallyport_verify_refusals_total{step="credential"}'), process).toBe(1);
    expect(
      of("crypto", 'sallyport_cache_lookups_total{cache="project_keys",result="hit"}'),
    ).toBeGreaterThan(0);
    expect(of("gateway", "sallyport_content_memory_usage_bytes")).toBe(0);
    expect(of("identity", "sallyport_outbox_pending")).toBe(0);
    expect(of("audit", "sallyport_audit_queue_length")).toBe(0);
    for (const process of processes)
      expect(of(process, 'sallyport_trace_spans_total{outcome="lost"}'), process).toBe(0);
  });

  test("have as many series after many machines as after one", async () => {
    const keysOf = (texts: ReadonlyMap<Process, string>) =>
      [...texts].flatMap(([process, text]) =>
        [...seriesOf(text).keys()].map((series) => `${process} ${series}`),
      );
    // What the gateway reports by the clock may begin between the two looks.
    const byTheClock = /KeyService\/ReportSightings/;
    await machineDay(job, "again"); // What only a second machine brings, such as an answer of a warm cache.
    const settled = async () => {
      await sleep(2_000); // What comes of it behind the answers: events, reports.
      const keys = keysOf(await scrape(job.deployment.system));
      return keys.filter((key) => !byTheClock.test(key)).toSorted();
    };
    const before = await settled();
    for (let machine = 0; machine < 6; machine += 1) await machineDay(job, `machine-${machine}`);
    expect(await settled()).toEqual(before);
  });

  test("have no reason but ours, and no method but those that are served", () => {
    const reasons = new Set(Object.keys(Reason));
    for (const text of processTexts())
      for (const series of seriesOf(text).keys()) {
        const [, reason = ""] = /^rpc_.*error_type="([^"]*)"/.exec(series) ?? [];
        expect(reason === "" || reasons.has(reason), series).toBe(true);
      }
  });

  test("are read by the command that the documentation gives", () => {
    const [, command = ""] =
      /walked by test\/system\/telemetry\.test\.ts -->\n```sh\n([\s\S]*?)```/.exec(
        read("deploy", "otel", "README.md"),
      ) ?? [];
    const here = command.replaceAll(".sallyport", job.deployment.dir);
    const output = execFileSync("sh", ["-eu", "-c", here], { encoding: "utf8", maxBuffer: 1e8 });
    expect(output.match(/^process_memory_usage_bytes \d+$/gm)).toHaveLength(processes.length);
  });
});

type CollectorConfig = {
  readonly receivers: {
    readonly otlp: { readonly protocols: Readonly<Record<string, { readonly endpoint: string }>> };
    readonly prometheus: {
      readonly config: {
        readonly scrape_configs: readonly {
          readonly scheme: string;
          readonly metrics_path: string;
          readonly file_sd_configs: readonly { readonly files: readonly string[] }[];
          readonly tls_config: Readonly<Record<string, string>>;
        }[];
      };
    };
  };
  readonly service: {
    readonly pipelines: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  };
};

describe("deploy/otel", () => {
  const config = parse(read("deploy", "otel", "collector.yaml"), {
    strict: true,
  }) as CollectorConfig & Readonly<Record<string, Readonly<Record<string, unknown>>>>;

  test("the collector's pipelines name what it configures", () => {
    const used = Object.values(config.service.pipelines).flatMap((pipeline) =>
      Object.entries(pipeline).flatMap(([kind, names]) => names.map((name) => `${kind}.${name}`)),
    );
    const configured = ["receivers", "processors", "exporters"].flatMap((kind) =>
      Object.keys(config[kind] ?? {}).map((name) => `${kind}.${name}`),
    );
    expect(new Set(used)).toEqual(new Set(configured));
    expect(Object.keys(config.service.pipelines)).toEqual(["traces", "metrics"]);
  });

  test("the collector reads every process, with files that are there, and shows itself to this machine only", () => {
    const { dir } = job.deployment;
    const [scrapes] = config.receivers.prometheus.config.scrape_configs;
    expect(scrapes).toMatchObject({ scheme: "https", metrics_path: "/metrics" });
    const inPlace = (file: string): string =>
      readFileSync(file.replace("${env:OPERATOR_DIR}", join(dir, "operator")), "utf8");
    for (const file of Object.values(scrapes?.tls_config ?? {}))
      expect(inPlace(file)).toContain("-----BEGIN");
    const [targetsFile = ""] = scrapes?.file_sd_configs[0]?.files ?? [];
    const targets = JSON.parse(inPlace(targetsFile)) as {
      targets: string[];
      labels: { job: string };
    }[];
    expect(targets.map(({ labels }) => labels.job).toSorted()).toEqual(
      processes.map((name) => `sallyport-${name}`).toSorted(),
    );
    for (const { endpoint } of Object.values(config.receivers.otlp.protocols))
      expect(endpoint).toMatch(/^127\.0\.0\.1:/);
  });

  test("the dashboard asks only for metrics and labels that the processes show", () => {
    const metrics = new Map<string, ShownMetric>();
    for (const text of processTexts())
      for (const [name, metric] of parseMetrics(text)) metrics.set(name, metric);
    const dashboard = JSON.parse(read("deploy", "otel", "dashboard.json")) as {
      panels: { title: string; type: string; targets?: { expr: string }[] }[];
    };
    const asked = dashboard.panels.flatMap(({ title, targets = [] }) =>
      targets.flatMap(({ expr }) => metricsIn(expr).map((metric) => ({ title, ...metric }))),
    );
    expect(asked.length).toBeGreaterThan(30);
    for (const { title, name, labels } of asked) {
      const metric = metrics.get(name) ?? metrics.get(name.replace(/_(bucket|sum|count)$/, ""));
      expect(metric, `${title}: ${name}`).toBeDefined();
      expect(name.endsWith("_bucket") && metric?.type !== "histogram", `${title}: ${name}`).toBe(
        false,
      );
      const known = new Set(["job", "instance", "le", ...(metric?.labels ?? [])]);
      expect(
        labels.filter((label) => !known.has(label)),
        `${title}: labels of ${name}`,
      ).toEqual([]);
    }
    // Whatever is worth a metric is worth a look: none is left out.
    const seen = new Set(asked.map(({ name }) => name.replace(/_(bucket|sum|count)$/, "")));
    expect(
      [...metrics.keys()].filter(
        (name) => !seen.has(name) && name !== "db_client_connection_count",
      ),
    ).toEqual(["nodejs_eventloop_delay_mean_seconds"]);
  });
});
