import { afterAll, beforeAll, describe } from "vitest";
import { anythingTests } from "./anything.ts";
import { contentTests } from "./contents.ts";
import { deadlineTests } from "./deadlines.ts";
import { floodTests } from "./floods.ts";
import { type Ground, prepareGround } from "./ground.ts";
import { headTests } from "./heads.ts";
import { signatureTests } from "./signatures.ts";
import { type Slow, beginSlow, slowTests } from "./slow.ts";
import { smugglingTests } from "./smuggling.ts";
import { strangerTests } from "./strangers.ts";
import { stormTests } from "./storm.ts";

let prepared: Ground;
let slow: readonly Slow[];
const ground = (): Ground => prepared;

beforeAll(async () => {
  prepared = await prepareGround();
  // They take their time: everything else happens meanwhile.
  slow = await beginSlow(prepared);
});
afterAll(() => prepared[Symbol.asyncDispose]());

describe("replays", () => {
  stormTests(ground);
});
describe("signatures and their headers", () => {
  signatureTests(ground);
});
describe("heads", () => {
  headTests(ground);
});
describe("contents", () => {
  contentTests(ground);
});
describe("anything", () => {
  anythingTests(ground);
});
describe("request smuggling over HTTP/1.1", () => {
  smugglingTests(ground);
});
describe("floods over HTTP/2", () => {
  floodTests(ground);
});
describe("requests that are given up", () => {
  deadlineTests(ground);
});
describe("strangers", () => {
  strangerTests(ground);
});
describe("slow senders and readers", () => {
  slowTests(() => slow);
});
