import { Code } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import {
  type OpenSpan,
  type SpanAttributes,
  type SpanStart,
  histogram,
} from "@sallyport/telemetry";
import { type Failure, codeOf, nameOf } from "./failure.ts";

const served = histogram("rpc.server.call.duration");
const called = histogram("rpc.client.call.duration");

/** The end of a call, as logs, metrics and spans show it; the reason is "" when it was answered. */
export type Ending = { readonly code: string; readonly reason: string };

/** Returns how a call ended. */
export function endingOf(failure: Failure | undefined): Ending {
  if (!failure) return { code: "ok", reason: "" };
  return { code: codeToString(codeOf(failure.reason)), reason: nameOf(failure.reason) };
}

// A caller that asks in a wrong way did not meet a fault of the server: its span is not failed
// then.
const faults: ReadonlySet<string> = new Set(
  [
    Code.Unknown,
    Code.DeadlineExceeded,
    Code.Unimplemented,
    Code.Internal,
    Code.Unavailable,
    Code.DataLoss,
  ].map((code) => codeToString(code)),
);

/**
 * Measures a call that was served since `begunMs` (performance.now) and tells its span how it
 * ended.
 */
export function concludeServed(
  span: OpenSpan,
  path: string,
  begunMs: number,
  failure?: Failure,
): void {
  const ending = endingOf(failure);
  served((performance.now() - begunMs) / 1000, labelsOf(path, ending));
  span.set(attributesOf(ending));
  if (faults.has(ending.code)) span.fail();
}

/** Measures a call to a peer and tells its span how it ended. */
export function concludeCalled(
  span: OpenSpan,
  path: string,
  begunMs: number,
  failure?: Failure,
): void {
  const ending = endingOf(failure);
  called((performance.now() - begunMs) / 1000, labelsOf(path, ending));
  span.set(attributesOf(ending));
}

/**
 * Makes what gives the span of a call by its path: one for a method, since most calls are recorded
 * nowhere.
 */
export function spansOf(
  kind: SpanStart["kind"],
  more: SpanAttributes = {},
): (path: string) => SpanStart {
  const spans = new Map<string, SpanStart>();
  return (path) => {
    const known = spans.get(path);
    if (known) return known;
    const name = path.slice(1);
    const attributes: SpanAttributes = {
      "rpc.system.name": "connectrpc",
      "rpc.method": name,
      ...more,
    };
    const span = { name, kind, attributes };
    spans.set(path, span);
    return span;
  };
}

function labelsOf(path: string, { code, reason }: Ending) {
  return { "rpc.method": path.slice(1), "rpc.response.status_code": code, "error.type": reason };
}

function attributesOf({ code, reason }: Ending): SpanAttributes {
  return { "rpc.response.status_code": code, ...(reason === "" ? {} : { "error.type": reason }) };
}
