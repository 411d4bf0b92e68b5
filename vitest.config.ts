import { defineConfig } from "vitest/config";

const boundaries = "test/boundaries.test.ts";
const servers = "./test/infra/global-setup.ts";
const ignored = ["**/node_modules/**", "**/dist/**"];
const alone = "test/{chaos,load}/**/*.test.ts";
const code = "{proto,services,gateway,clients,deploy}/**";

export default defineConfig({
  test: {
    setupFiles: "./test/infra/node-program.ts",
    projects: [
      { extends: true, test: { name: "boundaries", include: [boundaries] } },
      {
        extends: true,
        test: {
          name: "unit",
          include: [`${code}/*.test.ts`],
          exclude: [...ignored, "**/*.live.test.ts"],
          // These tests keep to their own process and leave nothing behind in it.
          isolate: false,
          testTimeout: 20_000,
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        test: {
          name: "live",
          globalSetup: servers,
          include: [`${code}/*.live.test.ts`],
          exclude: ignored,
          testTimeout: 30_000,
          hookTimeout: 60_000,
          expect: { poll: { timeout: 10_000 } },
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        test: {
          name: "system",
          globalSetup: servers,
          include: ["test/**/*.test.ts"],
          exclude: [...ignored, boundaries, alone],
          testTimeout: 180_000,
          hookTimeout: 240_000,
          // Each file starts a whole deployment of eight processes, and then waits more than it
          // computes.
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        test: {
          name: "alone",
          include: [alone],
          exclude: ignored,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          // These measure times: nothing else runs beside them.
          fileParallelism: false,
        },
      },
    ],
  },
});
