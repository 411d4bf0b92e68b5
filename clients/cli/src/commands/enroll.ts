import { type Identity, enroll as enrollMachine, parseToken } from "@sallyport/client";
import { durationWithin } from "../definition/bounded.ts";
import { defineCommand } from "../definition/define.ts";
import { flag, text } from "../definition/options.ts";
import { boolean, nullable, object, text as word, time } from "../definition/shape.ts";
import type { Context } from "../app/context.ts";
import { UsageError } from "../app/failure.ts";
import { type Check, checkShape, checkToken, showCheck } from "../tokens/check.ts";
import { relativeTime } from "../terminal/time.ts";
import { identityPathOf } from "../vaults/choose.ts";
import { endpointOf } from "../vaults/endpoint.ts";
import { identityFile, readCurrentVault, writeCurrentVault } from "../vaults/folder.ts";
import { keepIdentity } from "../vaults/keep.ts";
import { formerIdentity, whyNotKept } from "../vaults/former.ts";
import { pendingOf, withPendingKey } from "../vaults/pending.ts";

/** `sallyport enroll`: makes this computer a machine of a vault. */
export const enroll = defineCommand({
  description:
    "The token is in SALLYPORT_ENROLLMENT_TOKEN and is not sent: its key signs the key that " +
    "this machine makes. If a reply is lost, run it again: it uses the same key and spends no " +
    "second use of the token.",
  args: {},
  options: {
    name: text("the machine's name; the host name if not given", { value: "name" }),
    dryRun: flag("only say what would be enrolled; no use is spent"),
    ifNeeded: flag(
      "keep the identity that is there while it is of this token and gateway, and lives",
    ),
    left: durationWithin("10m", "with --if-needed: how long it has to live still", {
      min: "1s",
      max: "365d",
    }),
  },
  examples: [
    ['SALLYPORT_ENROLLMENT_TOKEN="$TOKEN" sallyport enroll', "in a pipeline"],
    ["sallyport enroll --dry-run", "what would be enrolled, or why not"],
    [
      'SALLYPORT_IDENTITY="$RUNNER_TEMP/machine.json" sallyport enroll',
      "an identity of this job's own",
    ],
    [
      "sallyport enroll --if-needed --left 1h",
      "on a runner that stays: no new machine for each job",
    ],
  ],
  json: object({
    machineId: nullable(word("the machine's id; null with --dry-run")),
    name: word("its name"),
    vaultId: word("the vault's id"),
    vaultName: nullable(word("the vault's name; null when the server could not be asked")),
    expiresAt: time("when the machine stops working"),
    identity: nullable(word("the file that holds its key; null with --dry-run")),
    dryRun: nullable({ ...checkShape, means: "with --dry-run what would be enrolled, else null" }),
    enrolled: boolean(
      "whether a machine was made: not with --dry-run, nor when --if-needed kept one",
    ),
    why: nullable(
      word("with --if-needed, why the identity that was there was not kept; else null"),
    ),
  }),
  async run({ options: { name, dryRun, ifNeeded, left }, context }) {
    const token = context.env["SALLYPORT_ENROLLMENT_TOKEN"];
    if (!token)
      throw new UsageError(
        "SALLYPORT_ENROLLMENT_TOKEN is not set",
        "put the enrollment token into it",
      );
    const wanted = name === undefined ? {} : { name };
    if (dryRun) return wouldEnroll(await checkToken(context, token.trim(), wanted));
    const endpoint = await endpointOf(context.env);
    const { id, vaultId } = parseToken(token.trim(), "enr");
    const chosen = identityPathOf(context.choice);
    const path = chosen ?? identityFile(context.env, vaultId, "machine");
    const former = await formerIdentity(path);
    const wantedIdentity = { ...endpoint, tokenId: id, name, leftSeconds: left };
    const why = ifNeeded ? await whyNotKept(context, former, wantedIdentity) : null;
    if (ifNeeded && former && why === null)
      return outcomeOf(former, path, { enrolled: false, why });
    const identity = await context.session.patiently(new URL(endpoint.url).host, (options) =>
      withPendingKey(path, pendingOf(id, name), {
        ask: (seed) => enrollMachine(endpoint, token.trim(), { ...options, ...wanted, seed }),
        keep: (made) => keepIdentity(path, made, options),
      }),
    );
    // A person's choice stays; a fresh computer gets one.
    if (chosen === undefined && (await readCurrentVault(context.env)) === undefined)
      await writeCurrentVault(context.env, vaultId);
    sayReplaced(context, former, identity);
    return outcomeOf(identity, path, { enrolled: true, why });
  },
  show({ name, machineId, vaultName, vaultId, expiresAt, dryRun, enrolled, why }, screen) {
    if (dryRun) return showCheck(dryRun, screen);
    const where = `${machineId}, expires ${relativeTime(expiresAt)}`;
    const still = enrolled ? "" : " still";
    screen.mark("ok", `this machine is${still} ${name} in ${vaultName ?? vaultId}`, where);
    if (why !== null) screen.line(`  enrolled, since ${why}`);
  },
});

function outcomeOf(
  { principalId, name, vaultId, vaultName, expiresAt }: Identity,
  path: string,
  how: { readonly enrolled: boolean; readonly why: string | null },
) {
  const machine = {
    machineId: principalId,
    name,
    vaultId,
    vaultName: vaultName ?? null,
    expiresAt,
  };
  return { ...machine, identity: path, dryRun: null, ...how };
}

// Another job may be running with it, and it would stay enrolled although nobody has its key.
function sayReplaced({ progress }: Context, former: Identity | undefined, now: Identity): void {
  if (
    !former ||
    former.principalId === now.principalId ||
    Date.parse(former.expiresAt) <= Date.now()
  )
    return;
  const { name, principalId } = former;
  progress.say(
    `the identity of ${name} was there and is replaced; "sallyport machine revoke ` +
      `${principalId}" ends it`,
  );
}

function wouldEnroll(dryRun: Check) {
  const { machineName: name, vaultId, expiresAt } = dryRun;
  const none = { enrolled: false, why: null };
  return {
    machineId: null,
    name,
    vaultId,
    vaultName: null,
    expiresAt,
    identity: null,
    dryRun,
    ...none,
  };
}
