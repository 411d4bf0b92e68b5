import { setTimeout as sleep } from "node:timers/promises";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { expect, test } from "vitest";
import { createKeyedSemaphore } from "./keyed-semaphore.ts";

test("lets one at a time through, in the order of asking, and names do not wait for each other", async () => {
  const turns = createKeyedSemaphore(1);
  const order: string[] = [];
  const run = async (name: string, label: string) => {
    const pass = await turns.acquire(name);
    order.push(`${label} begins`);
    await sleep(5);
    order.push(`${label} ends`);
    pass();
  };
  await Promise.all([run("a", "1"), run("a", "2"), run("a", "3")]);
  expect(order).toEqual(["1 begins", "1 ends", "2 begins", "2 ends", "3 begins", "3 ends"]);
  const held = await turns.acquire("a");
  await run("b", "4");
  held();
});

test("lets as many through at once as it says, and no more", async () => {
  const turns = createKeyedSemaphore(3);
  let [inside, most] = [0, 0];
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      const pass = await turns.acquire("a");
      inside += 1;
      most = Math.max(most, inside);
      await sleep(2);
      inside -= 1;
      pass();
    }),
  );
  expect(most).toBe(3);
});

test("passes a turn on once, and it can be taken again when nobody waits", async () => {
  const turns = createKeyedSemaphore(1);
  const pass = await turns.acquire("a");
  let second = false;
  const waiting = turns.acquire("a").then((go) => {
    second = true;
    return go;
  });
  const third = turns.acquire("a");
  pass();
  pass();
  const passSecond = await waiting;
  expect(second).toBe(true);
  await expect(Promise.race([third, sleep(20, "waits")])).resolves.toBe("waits");
  passSecond();
  (await third)();
  (await turns.acquire("a"))();
});

test("who waits too long is told to try again, and the others go on", async () => {
  const turns = createKeyedSemaphore(1);
  const pass = await turns.acquire("a");
  await expect(turns.acquire("a", 30)).rejects.toMatchObject({
    reason: Reason.DEPENDENCY_UNAVAILABLE,
  });
  const waiting = turns.acquire("a");
  pass();
  (await waiting)();
});
