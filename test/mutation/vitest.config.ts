import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Most mutants fall to tests that need no server; those that do need one are slow, and come last.
 */
class UnitFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number =>
      moduleId.endsWith(".live.test.ts") ? 1 : 0;
    return files.toSorted((a, b) => rank(a) - rank(b) || a.moduleId.localeCompare(b.moduleId));
  }
}

/**
 * How a mutation run runs tests: in one worker, under a runner that runs each file again for every
 * mutant it reaches.
 */
export default defineConfig({
  root: new URL("../..", import.meta.url).pathname,
  test: {
    include: ["{proto,services,gateway}/**/*.test.ts"],
    globalSetup: "./test/infra/global-setup.ts",
    runner: "./test/mutation/runner.ts",
    pool: "forks",
    isolate: false,
    fileParallelism: false,
    sequence: { sequencer: UnitFirst },
    testTimeout: 10_000,
    hookTimeout: 20_000,
    dangerouslyIgnoreUnhandledErrors: true,
  },
});
