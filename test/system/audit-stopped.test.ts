import { openSallyport } from "@sallyport/client";
import { expect, test } from "vitest";
import { refusal, startMainJob, valuesOf } from "./deployment.ts";

test("no record, no value: an audit that is stopped refuses reads and writes, and both recover", async () => {
  const job = await startMainJob();
  await using deployment = job.deployment;
  const reader = openSallyport(job.machine);
  const read = () => reader.read({ secretIds: job.granted });
  expect(Object.keys(valuesOf(await read()))).toHaveLength(2);

  await deployment.system.stopProcess("audit");
  expect(await refusal(read())).toBe("DEPENDENCY_UNAVAILABLE");
  expect(await refusal(reader.read({ secretIds: [job.ids["OTHER"] ?? ""] }))).toBe(
    "DEPENDENCY_UNAVAILABLE",
  );
  expect(await refusal(job.admin.services.projects.createProject({ name: "unrecorded" }))).toBe(
    "DEPENDENCY_UNAVAILABLE",
  );

  await deployment.system.startProcess("audit");
  await expect
    .poll(() => read().then(valuesOf), { timeout: 15_000 })
    .toEqual({ DB_URL: job.values.DB_URL, API_KEY: job.values.API_KEY });
  await expect
    .poll(() => refusal(job.admin.services.projects.createProject({ name: "recorded" })), {
      timeout: 15_000,
    })
    .toBe("not refused");
  reader.close();
  job.admin.close();
});
