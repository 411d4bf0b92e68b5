import { createServer } from "node:http";

/** A span as a collector got it. */
export type ReceivedSpan = {
  readonly service: string;
  readonly name: string;
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly failed: boolean;
};

/** A collector of one test: it takes spans by OTLP over HTTP, in JSON. */
export type Collector = {
  readonly url: string;
  /** What arrived so far. */
  readonly spans: ReceivedSpan[];
  /** Every byte that arrived, as text. */
  text(): string;
  /** Has it refuse what it is sent, until told otherwise. */
  refuse(refusing: boolean): void;
} & AsyncDisposable;

type Value = { readonly stringValue?: string; readonly intValue?: number | string };
type Attribute = { readonly key: string; readonly value: Value };
type Span = Omit<ReceivedSpan, "service" | "attributes" | "failed"> & {
  readonly attributes: readonly Attribute[];
  readonly status?: { readonly code?: number };
};
type Export = {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
};

const errorCode = 2;

/** Starts a collector on a free port of this machine. */
export async function startCollector(): Promise<Collector> {
  const spans: ReceivedSpan[] = [];
  const bodies: string[] = [];
  let refusing = false;
  const server = createServer((request, response) => {
    const chunks: Uint8Array[] = [];
    request.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    request.on("end", () => {
      if (request.url !== "/v1/traces" || refusing)
        return response.writeHead(refusing ? 400 : 404).end();
      const body = Buffer.concat(chunks).toString();
      bodies.push(JSON.stringify(request.rawHeaders), body);
      spans.push(...spansOf(JSON.parse(body) as Export));
      return response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the collector has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    spans,
    text: () => bodies.join("\n"),
    refuse: (next) => void (refusing = next),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function spansOf({ resourceSpans }: Export): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans
      .flatMap(({ spans }) => spans)
      .map(({ attributes, status, name, kind, traceId, spanId, parentSpanId }) => ({
        service: String(recordOf(resource.attributes)["service.name"]),
        name,
        kind,
        traceId,
        spanId,
        parentSpanId: parentSpanId ?? "",
        attributes: recordOf(attributes),
        failed: status?.code === errorCode,
      })),
  );
}

function recordOf(attributes: readonly Attribute[]): Record<string, string | number> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]),
  );
}
