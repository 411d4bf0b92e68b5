import { defineConfig } from "vitest/config";

const boundaries = "test/boundaries.test.ts";
const servers = "./test/infra/global-setup.ts";
const ignored = ["**/node_modules/**", "**/dist/**"];

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: "boundaries", include: [boundaries] } },
      {
        extends: true,
        test: {
          name: "unit",
          globalSetup: servers,
          include: ["{proto,services,gateway,clients,deploy}/**/*.test.ts"],
          exclude: ignored,
          testTimeout: 10_000,
          hookTimeout: 30_000,
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        test: {
          name: "system",
          globalSetup: servers,
          include: ["test/**/*.test.ts"],
          exclude: [...ignored, boundaries],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          // Each file starts a whole deployment of eight processes: one at a time is fastest on few cores.
          fileParallelism: false,
        },
      },
    ],
  },
});
