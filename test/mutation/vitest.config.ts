import { defineConfig } from "vitest/config";

/** How a mutation run runs tests: in one worker, under a runner that runs each file again for every mutant it reaches. */
export default defineConfig({
  root: new URL("../..", import.meta.url).pathname,
  test: {
    include: ["{proto,services,gateway}/**/*.test.ts"],
    globalSetup: "./test/infra/global-setup.ts",
    runner: "./test/mutation/runner.ts",
    pool: "forks",
    isolate: false,
    fileParallelism: false,
    testTimeout: 10_000,
    hookTimeout: 20_000,
    dangerouslyIgnoreUnhandledErrors: true,
  },
});
