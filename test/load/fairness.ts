import { type Figures, figuresOf } from "./figures.ts";
import { type Ground, keysOf } from "./ground.ts";
import { type Peak, addresses } from "./overload.ts";
import type { Group } from "./plan.ts";

/**
 * The service that others get who send a tenth of the peak: alone, and beside a noisy client that
 * sends without end.
 */
export type Fairness = {
  readonly alone: Figures;
  readonly besidePrincipal: Beside;
  readonly besideAddress: Beside;
};

/** The others beside a noisy one, that one, and both compared with the others alone. */
export type Beside = {
  readonly others: Figures;
  readonly noisy: Figures;
  /** Requests per second of the noisy client. */
  readonly offered: number;
  /**
   * The share of answered requests of the others, and the 99th percentile of their latency, each
   * divided by that without noise.
   */
  readonly shareRatio: number;
  readonly p99Ratio: number;
};

const quietShare = 1 / 10;
const quietMachines = 8;
const times = 3;
// A little less than the rates that a gateway lets one principal and one address have.
const [mostOfPrincipal, mostOfAddress] = [480, 1900];
const noisyAddresses = Array.from({ length: 4 }, (_, index) => `127.0.0.${index + 31}`);

/**
 * Measures so many seconds of each. The noisy client stays within its rate limit, and sends three
 * times the peak where that allows it.
 */
export async function fairness(ground: Ground, peak: Peak, seconds: number): Promise<Fairness> {
  const keys = keysOf(ground.machines);
  const [noisyKey] = keys.slice(quietMachines);
  if (!noisyKey) throw new Error("there is no machine to be noisy");
  const others: Group = {
    name: "others",
    keys: keys.slice(0, quietMachines),
    addresses,
    load: [{ perSecond: peak.perSecond * quietShare, seconds }],
  };
  const alone = figuresOf((await ground.send([others]))["others"] ?? []);
  const beside = async (
    noise: Pick<Group, "keys" | "addresses">,
    most: number,
  ): Promise<Beside> => {
    const perSecond = Math.min(peak.perSecond * times, most);
    const noisy: Group = { name: "noisy", ...noise, load: [{ perSecond, seconds }] };
    const results = await ground.send([others, noisy]);
    const figures = figuresOf(results["others"] ?? []);
    return {
      others: figures,
      noisy: figuresOf(results["noisy"] ?? []),
      offered: perSecond,
      shareRatio: figures.share / alone.share,
      p99Ratio: figures.p99Ms / alone.p99Ms,
    };
  };
  return {
    alone,
    besidePrincipal: await beside({ keys: [noisyKey], addresses: noisyAddresses }, mostOfPrincipal),
    besideAddress: await beside(
      { keys: keys.slice(quietMachines), addresses: noisyAddresses.slice(0, 1) },
      mostOfAddress,
    ),
  };
}
