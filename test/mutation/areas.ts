import type { Survivor } from "./judge.ts";
import { crypto } from "./survivors/crypto.ts";
import { evidence } from "./survivors/evidence.ts";
import { gate } from "./survivors/gate.ts";
import { verify } from "./survivors/verify.ts";

/**
 * A part of the code that is mutated as one, with the tests that must notice. Globs are relative to
 * the repository.
 */
export type Area = {
  readonly name: string;
  readonly mutate: readonly string[];
  readonly tests: readonly string[];
  /**
   * Every mutant that may survive, with the reason; a run fails on one that is missing and on one
   * that is too many.
   */
  readonly survivors: readonly Survivor[];
};

/** What mutation runs over: the code that decides, proves, opens and lets in. Smallest first. */
export const areas: readonly Area[] = [
  {
    name: "gate",
    mutate: [
      "services/policy/src/{decision/evaluate,decision/decide,standing}.ts",
      "services/policy/src/rpc/authorize.ts",
    ],
    tests: [
      "services/policy/src/{decision/evaluate,decision/decide,standing}.test.ts",
      "services/policy/src/decision/denials.live.test.ts",
      "services/policy/src/rpc/{authorize,sealing}.live.test.ts",
    ],
    survivors: gate,
  },
  {
    name: "evidence",
    mutate: ["services/lib/{evidence,roles,forward}/src/**/*.ts"],
    tests: ["services/lib/{evidence,roles,forward}/src/**/*.test.ts"],
    survivors: evidence,
  },
  {
    name: "crypto",
    mutate: [
      "proto/keyring/*.ts",
      "services/crypto/src/!(main|keyring-create).ts",
      "services/crypto/src/*/**/*.ts",
    ],
    tests: [
      "proto/keyring/*.test.ts",
      "services/lib/config/src/key-file.test.ts",
      "services/crypto/src/**/*.test.ts",
    ],
    survivors: crypto,
  },
  {
    name: "verify",
    mutate: ["gateway/src/verification/*.ts"],
    tests: ["gateway/src/verification/*.test.ts", "gateway/src/observability/metrics.live.test.ts"],
    survivors: verify,
  },
];
