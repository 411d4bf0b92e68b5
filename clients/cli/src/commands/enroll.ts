import { enroll as enrollMachine, parseToken } from "@sallyport/client";
import { defineCommand } from "../command/define.ts";
import { flag, text } from "../command/options.ts";
import { nullable, object, text as word, time } from "../command/shape.ts";
import { UsageError } from "../failure.ts";
import { type Check, checkShape, checkToken, showCheck } from "../tokens/check.ts";
import { relativeTime } from "../terminal/time.ts";
import { identityPathOf } from "../vaults/choose.ts";
import { endpointOf } from "../vaults/endpoint.ts";
import { identityFile, readCurrentVault, writeCurrentVault } from "../vaults/folder.ts";
import { keepIdentity } from "../vaults/keep.ts";
import { withPendingKey } from "../vaults/pending.ts";

/** `sallyport enroll`: makes this computer a machine of a vault. */
export const enroll = defineCommand({
  description:
    "The token is in SALLYPORT_ENROLLMENT_TOKEN and is not sent: its key signs the key that this machine makes. When a reply is lost, run it again: the same key is used, and no second use of the token is spent.",
  args: {},
  options: {
    name: text("the machine's name; the host name if not given", { value: "name" }),
    dryRun: flag("only say what would be enrolled; no use is spent"),
  },
  examples: [
    ['SALLYPORT_ENROLLMENT_TOKEN="$TOKEN" sallyport enroll', "in a pipeline"],
    ["sallyport enroll --dry-run", "what would be enrolled, or why not"],
    ["sallyport enroll --identity /run/sallyport/machine.json", "keep the identity elsewhere"],
  ],
  json: object({
    machineId: nullable(word("the machine's id; null with --dry-run")),
    name: word("its name"),
    vaultId: word("the vault's id"),
    vaultName: nullable(word("the vault's name; null when the server could not be asked")),
    expiresAt: time("when the machine stops working"),
    identity: nullable(word("the file that holds its key; null with --dry-run")),
    dryRun: nullable({ ...checkShape, means: "with --dry-run what would be enrolled, else null" }),
  }),
  async run({ options: { name, dryRun }, context }) {
    const token = context.env["SALLYPORT_ENROLLMENT_TOKEN"];
    if (!token)
      throw new UsageError("SALLYPORT_ENROLLMENT_TOKEN is not set", "put the enrollment token into it");
    const wanted = name === undefined ? {} : { name };
    if (dryRun) return wouldEnroll(await checkToken(context, token.trim(), wanted));
    const endpoint = await endpointOf(context.env);
    const { id, vaultId } = parseToken(token.trim(), "enr");
    const chosen = identityPathOf(context.choice);
    const path = chosen ?? identityFile(context.env, vaultId, "machine");
    const identity = await context.session.patiently(new URL(endpoint.url).host, (options) =>
      withPendingKey(path, id, async (seed) => {
        const made = await enrollMachine(endpoint, token.trim(), { ...options, ...wanted, seed });
        return keepIdentity(path, made, options);
      }),
    );
    // A person's choice stays; a fresh computer gets one.
    if (chosen === undefined && (await readCurrentVault(context.env)) === undefined)
      await writeCurrentVault(context.env, vaultId);
    const { principalId, vaultName = null, expiresAt } = identity;
    const made = { machineId: principalId, name: identity.name, vaultId, vaultName, expiresAt };
    return { ...made, identity: path, dryRun: null };
  },
  show({ name, machineId, vaultName, vaultId, expiresAt, dryRun }, screen) {
    if (dryRun) return showCheck(dryRun, screen);
    const where = `${machineId}, expires ${relativeTime(expiresAt)}`;
    screen.mark("ok", `this machine is ${name} in ${vaultName ?? vaultId}`, where);
  },
});

function wouldEnroll(dryRun: Check) {
  const { machineName: name, vaultId, expiresAt } = dryRun;
  return { machineId: null, name, vaultId, vaultName: null, expiresAt, identity: null, dryRun };
}
