import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres, startRedis } from "@sallyport/deploy/local";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** Superuser URL of the Postgres that this run uses. */
    databaseUrl: string;
    /** Redis URL (unix:///… or redis://…) of one user that may do everything. */
    redisUrl: string;
  }
}

type Started = { readonly url: string; stop(): Promise<void> };

/** Starts one Postgres and one Redis for the whole run, or uses the ones whose URLs are given. */
export async function setup(project: Pick<TestProject, "provide">): Promise<() => Promise<void>> {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-test-"));
  chmodSync(dir, 0o711); // user postgres passes through when this runs as root
  const started: Started[] = [];
  const stopAll = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.stop()));
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const postgres = given("SALLYPORT_TEST_DATABASE_URL") ?? (await startTestPostgres(dir));
    started.push(postgres);
    const redis = given("SALLYPORT_TEST_REDIS_URL") ?? (await startTestRedis(dir));
    started.push(redis);
    project.provide("databaseUrl", postgres.url);
    project.provide("redisUrl", redis.url);
    return stopAll;
  } catch (error) {
    await stopAll();
    throw error;
  }
}

function given(name: string): Started | undefined {
  const url = process.env[name];
  return url === undefined || url === "" ? undefined : { url, stop: () => Promise.resolve() };
}

async function startTestPostgres(dir: string): Promise<Started> {
  const postgres = await startPostgres({
    dataDir: join(dir, "postgres"),
    durable: false,
    log: () => undefined,
  });
  return { url: postgres.superuserUrl(), stop: () => postgres.stop() };
}

async function startTestRedis(dir: string): Promise<Started> {
  const user = {
    name: "test",
    password: randomBytes(18).toString("base64url"),
    keys: ["*"],
    commands: ["+@all"],
  };
  const redis = await startRedis({
    dir: join(dir, "redis"),
    users: [user],
    appendOnly: false,
    log: () => undefined,
  });
  return { url: redis.url(user), stop: () => redis.stop() };
}
