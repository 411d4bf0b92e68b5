import { KeysetFileError, filesOf, readKeyset } from "../files.ts";
import { openAsOfThen } from "../open.ts";
import { haveAll, renewHeld, underLock } from "../renew.ts";
import { type KeysetInHand, type RotatingKeys, keysOf } from "./keys.ts";
import {
  type DeploymentFiles,
  type KeySlot,
  filesIn,
  lifeMs,
  nameOf,
  takeUpMs,
} from "./key-slot.ts";
import { type RotationStep, type Standing, nextStep } from "./standing.ts";

/** The rotation and the step of it to take. */
export type RotateOptions = {
  /** The folder that has one for each process. */
  readonly deployment: string;
  readonly slot: KeySlot;
  readonly step: RotationStep;
  readonly nowMs: number;
  /** For how many days the keysets that it signs are valid. */
  readonly days: number;
  /** Does not wait: what is on its way by the old key is refused. For a key that was stolen. */
  readonly hurry?: boolean;
};

/** The result of a step. */
export type Rotated = {
  readonly standing: Standing;
  /** False if the step had been done before. */
  readonly changed: boolean;
  /** The next step and its earliest time, in Unix milliseconds. */
  readonly next: ReturnType<typeof nextStep>;
};

/**
 * A step is not due: it is too early, or another one comes first. Nothing is wrong with the files.
 */
export class NotDueError extends KeysetFileError {
  override readonly name = "NotDueError";
  /**
   * From when on the step may be taken, in Unix milliseconds; undefined when another comes first.
   */
  readonly fromMs: number | undefined;

  constructor(message: string, fromMs?: number) {
    super(message, {
      next: 'see how far it is with "sallyport keyset show FILE --deployment FOLDER"',
    });
    this.fromMs = fromMs;
  }
}

/**
 * Takes one step of a rotation: accept makes the new key and has it accepted, prefer has it sign,
 * retire takes the old one away. Each may be repeated, and a step that was cut off is finished by
 * the same step. Throws KeysetFileError, having changed nothing, when another step is due or it is
 * too early.
 */
export async function rotate(options: RotateOptions): Promise<Rotated> {
  const files = filesIn(options.deployment);
  return underLock(files.dir, async () => {
    const keyset = keysetInHand(files, options);
    const keys = keysOf(options.slot, files, keyset, options.nowMs);
    const before = await keys.standing();
    const changed =
      (await take(before, keys, options, await keysetMs(keyset, options))) ||
      (await keyset.settle());
    const standing = await keys.standing();
    const next = nextStep(standing, await keysetMs(keyset, options));
    return { standing, changed, next };
  });
}

/**
 * The progress of one key's rotation. Throws KeysetFileError when its files do not match.
 */
export async function standingOf(
  deployment: string,
  slot: KeySlot,
  nowMs: number,
): Promise<Pick<Rotated, "standing" | "next">> {
  const files = filesIn(deployment);
  const keyset = keysetInHand(files, { nowMs, days: 1 });
  const standing = await keysOf(slot, files, keyset, nowMs).standing();
  return { standing, next: nextStep(standing, await keysetMs(keyset, { nowMs })) };
}

async function take(
  standing: Standing,
  keys: RotatingKeys,
  options: RotateOptions,
  leftMs: number,
): Promise<boolean> {
  const steps = { accept, prefer, retire };
  return steps[options.step](standing, keys, options, leftMs);
}

type Step = typeof take;

const accept: Step = async ({ slot, coming, former }, keys) => {
  if (former.length > 0)
    throw new NotDueError(
      `the rotation of ${nameOf(slot)} is not at its end: ${idsOf(former)} has to be retired ` +
        "first",
    );
  if (coming?.accepted === true) return false;
  if (!coming) await keys.make();
  await keys.accept(await keys.standing());
  return true;
};

const prefer: Step = async (standing, keys, options) => {
  const { slot, coming, former } = standing;
  if (!coming && former.length > 0) return false;
  if (coming?.accepted !== true)
    throw new NotDueError(
      `there is no accepted key to prefer for ${nameOf(slot)}: run the step accept ` +
        (coming ? "again" : "first"),
    );
  const why = "every process has to have taken the new key up";
  wait(coming.sinceMs + takeUpMs, options, why);
  await keys.prefer(standing);
  return true;
};

const retire: Step = async (standing, keys, options, leftMs) => {
  const { slot, preferred, coming, former } = standing;
  if (coming)
    throw new NotDueError(
      `${coming.keyId} is not preferred yet: run the step ` +
        `${coming.accepted ? "prefer" : "accept"} first`,
    );
  if (former.length === 0) return false;
  wait(preferred.sinceMs + lifeMs(slot, leftMs), options, `${idsOf(former)} is still needed`);
  await keys.retire(standing);
  return true;
};

function wait(fromMs: number, { step, nowMs, hurry = false }: RotateOptions, why: string): void {
  if (hurry || nowMs >= fromMs) return;
  const from = new Date(fromMs).toISOString();
  throw new NotDueError(
    `it is too early for ${step}: ${why}; run it again from ${from} on`,
    fromMs,
  );
}

function idsOf(keys: readonly { readonly keyId: string }[]): string {
  return keys.map(({ keyId }) => keyId).join(", ");
}

function keysetInHand(
  { dir, copies }: DeploymentFiles,
  { nowMs, days }: Pick<RotateOptions, "nowMs" | "days">,
): KeysetInHand {
  const sign: KeysetInHand["sign"] = async (keys) =>
    void (await renewHeld({ dir, days, nowMs, keys, copies }));
  const read = async () => {
    const keyset = await readKeyset(filesOf(dir).keyset);
    if (!keyset) throw new KeysetFileError(`there is no keyset in ${dir}: check --deployment`);
    return keyset;
  };
  const claims = async () => openAsOfThen(await read()).claims;
  return {
    claims,
    sign,
    async settle() {
      if (await haveAll(copies, await read())) return false;
      await sign((await claims()).keys);
      return true;
    },
  };
}

async function keysetMs(
  keyset: Pick<KeysetInHand, "claims">,
  { nowMs }: Pick<RotateOptions, "nowMs">,
): Promise<number> {
  const { notAfter } = await keyset.claims();
  return notAfter ? Number(notAfter.seconds) * 1000 - nowMs : 0;
}
