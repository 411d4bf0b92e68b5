import { answerOwners } from "@sallyport/proto/signing";
import { defineCommand } from "../definition/define.ts";
import { choice, flag, required, integer, text as textOption } from "../definition/options.ts";
import { boolean, listOf, nullable, object, text, time } from "../definition/shape.ts";
import { UsageError } from "../app/failure.ts";
import {
  type KeySlot,
  type RotatedUse,
  allKeySlots,
  nameOf,
  rotatedUses,
} from "../keyset/rotation/key-slot.ts";
import { NotDueError, rotate } from "../keyset/rotation/rotate.ts";
import { type RotationStep, rotationSteps } from "../keyset/rotation/standing.ts";
import { nextWords, rotationShape, rotationView } from "../keyset/rotation/view.ts";

/** `sallyport keyset rotate STEP`: takes one step of replacing a key by another. */
export const keysetRotate = defineCommand({
  description:
    "accept makes a new key, which every process accepts beside the old one; prefer, a minute " +
    "later, makes it the signing key; retire removes the old one once nothing that it signed " +
    "is in use. Everything stays up, and every process loads its files automatically. A step " +
    "may be repeated; an interrupted step is finished by the same step. Run it where the key " +
    "files are, as a user who may write them.",
  args: {
    step: required(rotationSteps.join(", "), { complete: { words: rotationSteps } }),
  },
  options: {
    deployment: textOption("the folder that has one for each process, and the keyset folder", {
      required: true,
      value: "folder",
      complete: "files",
    }),
    use: choice("which key; all takes the step wherever it is due", [...rotatedUses, "all"], {
      required: true,
    }),
    holder: choice("whose answer key", answerOwners),
    now: flag("wait for nothing: for a key that was stolen; what it made a moment ago is refused"),
    days: integer(
      "how long the keysets are valid that it signs",
      { min: 1, max: 30 },
      { default: 7 },
    ),
  },
  examples: [
    [
      "sallyport keyset rotate accept --deployment .sallyport --use reply",
      "the new key, beside the old one",
    ],
    [
      "sallyport keyset rotate prefer --deployment .sallyport --use answer --holder policy",
      "it signs",
    ],
    [
      "sallyport keyset rotate retire --deployment .sallyport --use all",
      "all old keys that are due",
    ],
  ],
  json: object({
    step: text("the step"),
    keys: listOf(
      object({
        rotation: rotationShape,
        changed: boolean("whether anything was changed; false when the step was taken before"),
      }),
      "how far each rotation is after the step",
    ),
    notDue: listOf(
      object({
        use: text("the use"),
        holder: nullable(text("whose answer key it is; null for other uses")),
        why: text("why not"),
        from: nullable(time("from when on the step may be taken; null when another comes first")),
      }),
      "with --use all: where the step was not taken",
    ),
  }),
  async run({ args, options }) {
    const step = rotationSteps.find((each) => each === args.step);
    if (step === undefined)
      throw new UsageError(`"${args.step}" is not a step`, `write ${rotationSteps.join(", ")}`);
    const slots = placesOf(options.use, options.holder);
    return takeAll(step, slots, options);
  },
  show({ step, keys, notDue }, screen) {
    for (const { rotation, changed } of keys) {
      const { use, holder, preferred, coming } = rotation;
      const words = nameOf({ use: use as RotatedUse, holder: ownerOf(holder) });
      screen.mark(
        "ok",
        `${words}: ${step}${changed ? "" : " was done already"}`,
        coming ?? preferred,
      );
      screen.line(`  next: ${nextWords(rotation)}`);
    }
    for (const { use, holder, why } of notDue)
      screen.mark("warn", `the ${holder === null ? use : `${holder} answer`} key: ${why}`);
  },
});

type Options = {
  readonly deployment: string;
  readonly use: RotatedUse | "all";
  readonly now: boolean;
  readonly days: number;
};

function placesOf(use: Options["use"], holder: KeySlot["holder"]): readonly KeySlot[] {
  if ((use === "answer") !== (holder !== undefined))
    throw new UsageError(
      use === "answer" ? "--use answer needs --holder" : "--holder goes with --use answer alone",
      `write --holder ${answerOwners.join("|")}`,
    );
  return use === "all" ? allKeySlots : [{ use, holder }];
}

// Of all slots some may have to wait longer than others: a sealing key does for a week.
async function takeAll(step: RotationStep, slots: readonly KeySlot[], options: Options) {
  const { deployment, now: hurry, days, use } = options;
  const keys = [];
  const notDue = [];
  for (const slot of slots) {
    try {
      const rotated = await rotate({ deployment, slot, step, nowMs: Date.now(), days, hurry });
      keys.push({ rotation: rotationView(rotated), changed: rotated.changed });
    } catch (error) {
      if (use !== "all" || !(error instanceof NotDueError)) throw error;
      const { fromMs, message: why } = error;
      const from = fromMs === undefined ? null : new Date(fromMs).toISOString();
      notDue.push({ use: slot.use, holder: slot.holder ?? null, why, from });
    }
  }
  return { step, keys, notDue };
}

function ownerOf(holder: string | null): KeySlot["holder"] {
  return answerOwners.find((owner) => owner === holder);
}
