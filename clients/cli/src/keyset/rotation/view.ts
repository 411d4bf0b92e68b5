import {
  type ValueOf,
  boolean,
  listOf,
  nullable,
  object,
  text,
  time,
} from "../../definition/shape.ts";
import { relativeTime } from "../../terminal/time.ts";
import type { Rotated } from "./rotate.ts";

/** The progress of one use's rotation, as it is printed. */
export const rotationShape = object(
  {
    use: text(
      "what the key is for: `credential`, `permit`, `slip`, `sealing`, `reply`, `log` or `answer`",
    ),
    holder: nullable(text("whose answer key it is; null for other uses")),
    preferred: text("the id of the key that signs, or that is sealed to"),
    coming: nullable(text("the id of the key that is preferred next; null without one")),
    accepted: boolean("whether everybody takes that key already"),
    former: listOf(text("the id of a key that was preferred and is not retired yet")),
    kept: listOf(text("the id of a log key that is kept to verify what it signed")),
    next: text("the step that comes next: `accept`, `prefer` or `retire`"),
    nextFrom: nullable(time("from when on that step may be taken; null for at any time")),
  },
  "how far the rotation is",
);

/** One of them. */
export type RotationView = ValueOf<typeof rotationShape>;

/** A standing as it is printed. */
export function rotationView({ standing, next }: Pick<Rotated, "standing" | "next">): RotationView {
  const { slot, preferred, coming, former, kept } = standing;
  return {
    use: slot.use,
    holder: slot.holder ?? null,
    preferred: preferred.keyId,
    coming: coming?.keyId ?? null,
    accepted: coming?.accepted ?? false,
    former: former.map(({ keyId }) => keyId),
    kept: kept.map(({ keyId }) => keyId),
    next: next.step,
    nextFrom: next.fromMs === 0 ? null : new Date(next.fromMs).toISOString(),
  };
}

/** The next step in words: "accept, at any time", "retire, in 3 min (2026-…)". */
export function nextWords({ next, nextFrom }: RotationView): string {
  if (nextFrom === null) return `${next}, at any time`;
  const due = Date.parse(nextFrom) <= Date.now();
  return due ? `${next}, now` : `${next}, ${relativeTime(nextFrom)} (${nextFrom})`;
}
