import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import type {
  KeyService,
  SightingSchema,
} from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { repeat } from "@sallyport/schedule";
import type { Logger } from "@sallyport/telemetry";

/** A request that was accepted: under which keyid, from where, by which client. */
export type Accepted = {
  readonly keyId: string;
  readonly sourceIp: string;
  readonly client: string;
};

/**
 * The uses of keys that are still to be reported; disposing reports the rest and waits for the
 * answer.
 */
export type LastSeen = { note(accepted: Accepted): void } & AsyncDisposable;

const defaults = { everyMs: 10_000, capacity: 50_000 };
const batchSize = 1_000;
// A gateway that stops waits no longer for an identity that is away.
const timeoutMs = 2_000;

/**
 * Reports to identity every 10 seconds when each key was last used, the newest use only. Best
 * effort, and no request waits for it: a report that identity does not take is lost, as is
 * everything in memory with a crash. No more than `capacity` keys are kept between two reports;
 * further ones are not reported this time.
 */
export function createLastSeen(
  identity: Pick<Client<typeof KeyService>, "reportSightings">,
  clock: () => number,
  logger: Pick<Logger, "warn">,
  { everyMs, capacity } = defaults,
): LastSeen {
  const newest = new Map<string, MessageInitShape<typeof SightingSchema>>();

  async function report(): Promise<void> {
    const sightings = [...newest.values()];
    newest.clear();
    try {
      for (let start = 0; start < sightings.length; start += batchSize)
        await identity.reportSightings(
          { sightings: sightings.slice(start, start + batchSize) },
          { timeoutMs },
        );
    } catch (error) {
      logger.warn(
        { err: error, keys: sightings.length },
        "the last uses of keys were not reported to identity",
      );
    }
  }

  const reports = repeat({ run: report, everyMs, delayed: true });
  return {
    note({ keyId, sourceIp, client }) {
      if (newest.size >= capacity && !newest.has(keyId)) return;
      newest.set(keyId, { keyId, sourceIp, client, seenAt: timestampFromMs(clock()) });
    },
    async [Symbol.asyncDispose]() {
      await reports[Symbol.asyncDispose]();
      await report();
    },
  };
}
