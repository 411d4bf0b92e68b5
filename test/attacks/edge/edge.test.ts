import { afterAll, beforeAll, describe } from "vitest";
import { floodTests } from "./floods.ts";
import { type Ground, prepareGround } from "./ground.ts";
import { type Slow, beginSlow, slowTests } from "./slow.ts";

let prepared: Ground;
let slow: readonly Slow[];
const ground = (): Ground => prepared;

beforeAll(async () => {
  prepared = await prepareGround();
  // They take their time: everything else happens meanwhile.
  slow = await beginSlow(prepared);
});
afterAll(() => prepared[Symbol.asyncDispose]());

describe("floods over HTTP/2", () => floodTests(ground));
describe("slow senders and readers", () => slowTests(ground, () => slow));
