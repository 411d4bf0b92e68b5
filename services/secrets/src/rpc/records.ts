import type { Outbox } from "@sallyport/outbox";
import type { Tx } from "@sallyport/postgres";
import type { Liveness } from "../directory-sync.ts";
import type { Peers } from "../peers.ts";

/** The dependencies of the public methods; the clock is in milliseconds. */
export type PublicParts = {
  readonly database: Tx;
  readonly outbox: Pick<Outbox, "record">;
  readonly peers: Pick<Peers, "directory" | "roles" | "seal">;
  readonly liveness: Pick<Liveness, "hide" | "promise" | "settle">;
  readonly clock: () => number;
};
