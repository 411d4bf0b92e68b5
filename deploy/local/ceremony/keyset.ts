import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  type PublishedKey,
  type RenewedKeyset,
  filesOf,
  haveAll,
  keyIn,
  openAsOfThen,
  readKeyset,
  renewKeyset,
  signSigner,
} from "@sallyport/cli/keyset";
import { type Layout, processes } from "../data/layout.ts";

const dayMs = 86_400_000;
const signerDays = 365;
const signerWarningMs = 60 * dayMs;
const keysetDays = 7;
const lookMs = 3_600_000;

/** The path of the root key, as long as it is on this machine. */
export function rootKeyFile({ root }: Layout): string {
  return join(root, "root.key");
}

/**
 * Signs a keyset of these keys for every process, by a signer that the root vouches for; one that
 * there is stays.
 */
export async function signKeyset(
  layout: Layout,
  keys: readonly PublishedKey[],
): Promise<RenewedKeyset> {
  const dir = layout.keyset;
  const nowMs = Date.now();
  if (!existsSync(filesOf(dir).signer))
    await signSigner({ dir, rootKeyFile: rootKeyFile(layout), days: signerDays, nowMs });
  return renewKeyset({
    dir,
    days: keysetDays,
    nowMs,
    keys: keys.map(keyIn),
    copies: copiesOf(layout),
  });
}

/**
 * Renews the keyset when it is a day old, when a process has another, or when there is none of this
 * form yet; and its signer 60 days before its end, as long as the root key is here. Throws what
 * stands in the way, having changed nothing.
 */
export async function renewIfDue(
  layout: Layout,
  publish: () => Promise<readonly PublishedKey[]>,
): Promise<void> {
  const dir = layout.keyset;
  const nowMs = Date.now();
  const keyset = await readKeyset(filesOf(dir).keyset);
  if (!keyset) return void (await signKeyset(layout, await publish()));
  const { notAfterMs, signerNotAfterMs } = openAsOfThen(keyset);
  const signerIsDue =
    nowMs >= signerNotAfterMs - signerWarningMs && existsSync(rootKeyFile(layout));
  if (signerIsDue)
    await signSigner({ dir, rootKeyFile: rootKeyFile(layout), days: signerDays, nowMs });
  const ageMs = keysetDays * dayMs - (notAfterMs - nowMs);
  const copies = copiesOf(layout);
  if (!signerIsDue && ageMs < dayMs && (await haveAll(copies, keyset))) return;
  await renewKeyset({ dir, days: keysetDays, nowMs, copies });
}

/**
 * Renews the keyset whenever it is due, until disposed. A failure is reported, and retried
 * in an hour.
 */
export function keepRenewing(
  renew: () => Promise<void>,
  onFailure: (sentence: string) => void,
): Disposable {
  const attempt = (): void =>
    void renew().catch((error: unknown) =>
      onFailure(error instanceof Error ? error.message : String(error)),
    );
  const timer = setInterval(attempt, lookMs).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** The keyset file of every process. */
export function copiesOf(layout: Layout): readonly string[] {
  return processes.map((name) => join(layout.folder(name), "keyset.bin"));
}
