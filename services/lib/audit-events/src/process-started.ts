import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { type Emitter, type EventFields, newEvent } from "@sallyport/proto/catalogue";
import type { Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { done, repeat } from "@sallyport/schedule";
import type { Logger } from "@sallyport/telemetry";
import type { Sink } from "./event-sink.ts";

type Detail = NonNullable<EventFields<"process.started">["detail"]>;

/**
 * A process that serves from now on: who, where, and with which configuration, as far as it is no
 * secret.
 */
export type Start = {
  readonly emitter: Emitter;
  readonly config: {
    readonly listen: { readonly host: string };
    readonly trustDomain: string;
    readonly publicNames: readonly string[];
    readonly clockWindowSeconds: number;
    readonly rootFingerprint: string;
  };
  readonly port: number;
  readonly keysetEpoch: number;
  /** The process's own package.json, whose version is reported. */
  readonly manifest: URL;
  /** Details of this process alone. */
  readonly own?: Pick<Detail, "kek_fingerprint" | "log_key" | "operator_vault">;
};

/**
 * Makes the record process.started. Each start has another instance, also of two replicas on one
 * host.
 */
export function startedEvent({
  emitter,
  config,
  port,
  keysetEpoch,
  manifest,
  own = {},
}: Start): Event {
  return newEvent(emitter, "process.started", {
    actorKind: ActorKind.SERVICE,
    actorId: emitter,
    detail: {
      version: versionOf(manifest),
      node: process.version,
      instance: `${hostname()}-${randomBytes(4).toString("hex")}`,
      listen: `${config.listen.host}:${port}`,
      trust_domain: config.trustDomain,
      public_names: config.publicNames.join(","),
      clock_window_seconds: String(config.clockWindowSeconds),
      keyset_epoch: String(keysetEpoch),
      root_fingerprint: config.rootFingerprint,
      ...own,
    },
  });
}

/**
 * Puts a start on record in the background, and tries again every second until the sink has it: a
 * process starts also while the log is away. Disposing gives up.
 */
export function reportStart(
  start: Start,
  sink: Sink,
  logger: Pick<Logger, "info" | "warn">,
  retryMs = 1_000,
): Disposable {
  const event = startedEvent(start);
  const { [Symbol.dispose]: stop } = repeat({
    async run() {
      await sink([event]);
      return done;
    },
    everyMs: retryMs,
    log: {
      logger,
      failed: "the start is not on record yet",
      recovered: "the start is on record",
    },
  });
  return { [Symbol.dispose]: stop };
}

function versionOf(manifest: URL): string {
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { readonly version?: unknown };
  return typeof version === "string" ? version : "";
}
