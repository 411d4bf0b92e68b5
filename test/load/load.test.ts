import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Fairness, fairness } from "./fairness.ts";
import { type Ground, startGround } from "./ground.ts";
import { type Overload, type Peak, measurePeak, overload } from "./overload.ts";
import { fairnessLines, overloadLines, peakLines } from "./print.ts";

// The short form of `npm run load`. Bounds are ratios to what was measured just before on the same
// machine, with room for what else it does.
const seconds = 3;
const machines = 16;

const print = (lines: readonly string[]): void => console.log(lines.join("\n"));

// Every 127.0.0.0/8 is this machine's on Linux only, and so is /proc.
describe.runIf(process.platform === "linux")("a deployment", () => {
  let ground: Ground;
  let peak: Peak;

  beforeAll(async () => {
    ground = await startGround(machines);
    peak = await measurePeak(ground, seconds);
    print(peakLines(peak));
  });
  afterAll(() => ground[Symbol.asyncDispose]());

  describe("asked three times what can be answered", () => {
    let result: Overload;
    beforeAll(async () => {
      result = await overload(ground, peak, seconds);
      print(overloadLines(result));
    });

    test("leaves most of what can be answered", () => {
      expect(result.goodput / result.peak).toBeGreaterThan(0.5);
    });

    test("is refused for want of a place, sooner than others are answered, with a delay", () => {
      const { figures } = result;
      expect(figures.refused["DEPENDENCY_UNAVAILABLE"]).toBeGreaterThan(figures.sent / 4);
      expect(figures.refusedP50Ms).toBeLessThan(figures.p50Ms);
      expect(figures.undelayed).toBe(0);
      expect(figures.refused).not.toHaveProperty("broken");
    });

    test("is over two seconds after it ends", () => {
      expect(result.recoveryMs).toBeLessThanOrEqual(2000);
    });
  });

  describe("beside somebody who asks without end", () => {
    let result: Fairness;
    beforeAll(async () => {
      result = await fairness(ground, peak, seconds);
      print(fairnessLines(result));
    });

    test.each(["besidePrincipal", "besideAddress"] as const)(
      "others are answered (%s)",
      (beside) => {
        expect(result.alone.share).toBe(1);
        expect(result[beside].shareRatio).toBeGreaterThan(0.98);
      },
    );

    test.each(["besidePrincipal", "besideAddress"] as const)(
      "who is noisy is refused, by its share (%s)",
      (beside) => {
        const { noisy } = result[beside];
        expect(noisy.share).toBeLessThan(0.9);
        expect(noisy.refused).toHaveProperty("RATE_LIMITED");
        expect(noisy.undelayed).toBe(0);
      },
    );
  });
});
