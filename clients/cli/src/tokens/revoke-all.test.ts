import { expect, test } from "vitest";
import { type Revocation, revokeAll } from "./revoke-all.ts";

const answer = (machinesRevoked: number, machinesRemaining: number): Revocation<string> => ({
  token: `after ${machinesRemaining}`,
  machinesRevoked,
  machinesRemaining,
});

/** Answers these, one call after the other, and then fails. */
function answering(...answers: Revocation<string>[]) {
  return async (): Promise<Revocation<string>> => {
    const next = answers.shift();
    if (!next) throw new Error("out of reach");
    return next;
  };
}

test("it is called until no machine is left, and says how far it came", async () => {
  const said: string[] = [];
  const call = answering(answer(500, 700), answer(500, 200), answer(200, 0), answer(9, 9));
  expect(await revokeAll(call, (text) => said.push(text))).toEqual({
    token: "after 0",
    revoked: 1200,
  });
  expect(said).toEqual(["ended 500 machines, 700 are left", "ended 1000 machines, 200 are left"]);
});

test("when a call fails it says what was done before, and that it can go on", async () => {
  const said: string[] = [];
  await expect(revokeAll(answering(answer(500, 1)), (text) => said.push(text))).rejects.toThrow(
    "out of reach",
  );
  expect(said.at(-1)).toBe("500 machines were ended; run it again to go on");
  const nothing: string[] = [];
  await expect(revokeAll(answering(), (text) => nothing.push(text))).rejects.toThrow(
    "out of reach",
  );
  expect(nothing).toEqual([]);
});
