import { createHmac, randomBytes } from "node:crypto";
import { inject } from "vitest";
import { type DatabaseService, ensureRoles, type Role, withClient } from "./roles.ts";

/** An empty database of one test file, as its service's two roles see it; disposing drops it. */
export type ServiceTestDatabase = {
  /** The role that runs migrations. */
  readonly ownerUrl: string;
  /** The role that may do what migrations grant, and no more. */
  readonly servingUrl: string;
} & AsyncDisposable;

/** Makes a fresh database with the service's roles; many test files may do so at once. */
export async function createServiceDatabase(
  service: DatabaseService,
): Promise<ServiceTestDatabase> {
  const superuserUrl = inject("databaseUrl");
  const database = `sallyport_${service}_test_${randomBytes(6).toString("hex")}`;
  const owner = roleOf(superuserUrl, `sallyport_${service}_owner`);
  const serving = roleOf(superuserUrl, `sallyport_${service}`);
  await withClient(superuserUrl, async (client) => {
    await ensureRoles(client, [owner, serving]);
    await client.query(`create database ${database} owner ${owner.name}`);
    await client.query(`revoke all on database ${database} from public`);
    await client.query(`grant connect on database ${database} to ${serving.name}`);
  });
  return {
    ownerUrl: urlFor(superuserUrl, owner, database),
    servingUrl: urlFor(superuserUrl, serving, database),
    [Symbol.asyncDispose]: () => drop(superuserUrl, database),
  };
}

/** The password is derived, so that test files which share a cluster agree on it. */
function roleOf(superuserUrl: string, name: string): Role {
  return { name, password: createHmac("sha256", superuserUrl).update(name).digest("hex") };
}

function urlFor(superuserUrl: string, { name, password }: Role, database: string): string {
  const url = new URL(superuserUrl);
  url.username = name;
  url.password = password;
  url.pathname = `/${database}`;
  return url.href;
}

async function drop(superuserUrl: string, database: string): Promise<void> {
  await withClient(superuserUrl, (client) =>
    client.query(`drop database if exists ${database} with (force)`),
  );
}
