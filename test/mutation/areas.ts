/** A part of the code that is mutated as one, with the tests that must notice. Globs are relative to the repository. */
export type Area = {
  readonly name: string;
  readonly mutate: readonly string[];
  readonly tests: readonly string[];
};

/** What mutation runs over: the code that decides, proves, opens and lets in. Smallest first. */
export const areas: readonly Area[] = [
  {
    name: "gate",
    mutate: ["services/policy/src/{evaluate,decide,standing}.ts", "services/policy/src/rpc/authorize.ts"],
    tests: [
      "services/policy/src/{evaluate,decide,standing}.test.ts",
      "services/policy/src/rpc/authorize.live.test.ts",
    ],
  },
  {
    name: "evidence",
    mutate: ["services/lib/evidence/src/**/*.ts"],
    tests: ["services/lib/evidence/src/**/*.test.ts"],
  },
  {
    name: "crypto",
    mutate: ["services/crypto/src/!(main|keyring-create).ts", "services/crypto/src/*/**/*.ts"],
    tests: ["services/crypto/src/**/*.test.ts"],
  },
  {
    name: "verify",
    mutate: ["gateway/src/verify/!(nonces|redis).ts"],
    tests: [
      "gateway/src/verify/!(redis|*.live).test.ts",
      "gateway/src/verify/checklist.live.test.ts",
      "gateway/src/metrics.live.test.ts",
    ],
  },
  {
    name: "nonces",
    mutate: ["gateway/src/verify/{nonces,redis}.ts"],
    tests: [
      "gateway/src/verify/{redis,nonces.live,checklist.live}.test.ts",
      "gateway/src/metrics.live.test.ts",
    ],
  },
];
