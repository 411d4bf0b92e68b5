import { monitorEventLoopDelay } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import { observe } from "./metrics.ts";

const everyMs = 20;
const nanosecondsPerSecond = 1e9;
const nanosecondsPerMs = 1e6;
const microsecondsPerSecond = 1e6;

/**
 * Has delay of the event loop, processor time and memory of this process looked at with every look
 * at the metrics.
 */
export function observeProcess(): Disposable {
  using stack = new DisposableStack();
  const delay = stack.adopt(monitorEventLoopDelay({ resolution: everyMs }), (histogram) =>
    histogram.disable(),
  );
  delay.enable();
  let seen = { mean: 0, p99: 0, max: 0 };
  const look = (): void => {
    seen = { mean: delay.mean, p99: delay.percentile(99), max: delay.max };
    delay.reset();
  };
  // Measured is the time between two turns of a timer: what is more than it was set to is delay.
  // Between two looks at the same instant nothing was measured, and the mean is not a number: 0 is
  // shown then.
  const seconds = (betweenTurns: number) => {
    const delayed = Math.max(0, (betweenTurns || 0) - everyMs * nanosecondsPerMs);
    return [{ value: delayed / nanosecondsPerSecond, labels: {} }];
  };
  stack.use(
    observe("nodejs.eventloop.delay.mean", () => {
      look();
      return seconds(seen.mean);
    }),
  );
  stack.use(observe("nodejs.eventloop.delay.p99", () => seconds(seen.p99)));
  stack.use(observe("nodejs.eventloop.delay.max", () => seconds(seen.max)));
  stack.use(
    observe("process.cpu.time", () => {
      const { user, system } = process.cpuUsage();
      return [
        { value: user / microsecondsPerSecond, labels: { "cpu.mode": "user" } },
        { value: system / microsecondsPerSecond, labels: { "cpu.mode": "system" } },
      ];
    }),
  );
  stack.use(
    observe("process.memory.usage", () => [{ value: process.memoryUsage.rss(), labels: {} }]),
  );
  stack.use(
    observe("v8js.memory.heap.used", () => [
      { value: getHeapStatistics().used_heap_size, labels: {} },
    ]),
  );
  return stack.move();
}
