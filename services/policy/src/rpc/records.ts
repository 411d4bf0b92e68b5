import type { Outbox } from "@sallyport/outbox";
import type { Tx } from "@sallyport/postgres";

/** Dependencies of the public methods of policy; the clock is in milliseconds. */
export type PublicParts = {
  readonly database: Tx;
  readonly outbox: Pick<Outbox, "record">;
  readonly clock: () => number;
};
