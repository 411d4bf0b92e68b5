import { setTimeout as sleep } from "node:timers/promises";
import { openReader, retrying } from "@sallyport/client";
import type { System } from "@sallyport/deploy/local";
import { openDatabase } from "../system/databases.ts";
import type { EndState, LogRow, Received } from "./history.ts";
import type { Stock } from "./stock.ts";

const outboxes = ["identity", "policy", "secrets"] as const;
const deliveryMs = 15_000;

/**
 * Reads what there is once everything that waited has been delivered, or 15 seconds have passed.
 */
export async function readEndState(system: System, stock: Stock): Promise<EndState> {
  const undelivered = await waitForDelivery(system);
  const versions = await readVersions(system, stock);
  return { undelivered, versions, log: await readLog(system), ...(await readIdentity(system)) };
}

async function waitForDelivery(system: System): Promise<Record<string, number>> {
  const deadline = performance.now() + deliveryMs;
  for (;;) {
    const counts: [string, number][] = [];
    for (const service of outboxes) counts.push([service, await countOutbox(system, service)]);
    if (counts.every(([, count]) => count === 0) || performance.now() > deadline)
      return Object.fromEntries(counts);
    await sleep(250);
  }
}

/** Events that wait and events that were refused alike: both are changes without their record. */
async function countOutbox(system: System, service: (typeof outboxes)[number]): Promise<number> {
  await using client = await openDatabase(system, service);
  const { rows } = await client.query<{ n: number }>("select count(*)::int as n from outbox");
  return rows[0]?.n ?? 0;
}

async function readLog(system: System): Promise<LogRow[]> {
  await using client = await openDatabase(system, "audit");
  const { rows } = await client.query<LogRow>(
    `select seq::int, event_id as "eventId", action, encode(request_digest, 'hex') as digest,
            secret_id as "secretId", secret_version::int as version, machine_id as "machineId"
     from records order by seq`,
  );
  return rows;
}

async function readIdentity(system: System): Promise<Pick<EndState, "tokens" | "machines">> {
  await using client = await openDatabase(system, "identity");
  const tokens = await client.query<EndState["tokens"][number]>(
    `select token_id as "tokenId", uses, max_uses as "maxUses" from enrollment_tokens`,
  );
  const machines = await client.query<EndState["machines"][number]>(
    `select machine_id as "machineId", token_id as "tokenId", encode(public_key, 'hex') as key,
            state = 'active' as active
     from machines`,
  );
  return { tokens: tokens.rows, machines: machines.rows };
}

/** Opens every version that secrets holds, as a machine. */
async function readVersions(system: System, { verifier, secrets }: Stock): Promise<Received[]> {
  const found: Received[] = [];
  const reader = openReader(verifier);
  for (const secretId of Object.values(secrets)) {
    for (const version of await versionsOf(system, secretId)) {
      const read = () => reader.read({ secretIds: [secretId], version });
      const [result] = await retrying(read, { untilMs: performance.now() + 10_000 });
      if (result?.kind === "value")
        found.push({ secretId, version, value: Buffer.from(result.plaintext).toString() });
    }
  }
  reader.close();
  return found;
}

async function versionsOf(system: System, secretId: string): Promise<number[]> {
  await using client = await openDatabase(system, "secrets");
  const { rows } = await client.query<{ version: number }>(
    "select version::int as version from versions where secret_id = $1 order by version",
    [secretId],
  );
  return rows.map(({ version }) => version);
}
