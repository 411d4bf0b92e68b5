import { type DescMethodUnary, fromJson, toBinary } from "@bufbuild/protobuf";
import { type Random, fuzzRun, randomJson, randomOf } from "@sallyport/test/infra";
import { expect, test } from "vitest";
import { publicMethods } from "../../authz/matrix/methods.ts";
import type { Ground } from "./ground.ts";
import { openSession, send, signed } from "./wire.ts";

const requests = 400;
const atOnce = 8;

/**
 * A message of the method, by its contract or a little beside it; binary where it has such a form.
 */
function contentOf({ input }: DescMethodUnary, random: Random) {
  const json = randomJson(input, random);
  const text = { contentType: "application/json", body: Buffer.from(JSON.stringify(json)) };
  if (random.below(2) === 0) return text;
  try {
    return {
      contentType: "application/proto",
      body: Buffer.from(toBinary(input, fromJson(input, json))),
    };
  } catch {
    return text;
  }
}

/** What parsers let through meets the owners and their databases: none of it is a fault of ours. */
export function anythingTests(ground: () => Ground): void {
  test(`${requests} messages by the contract, of every method, are answered without a fault`, async () => {
    const { seed } = fuzzRun();
    // Whoever signs out asks nothing any more.
    const methods = (await publicMethods()).filter(({ name }) => name !== "SignOut");
    const session = openSession(ground());
    const told = new Map<number, number>();
    async function ask(index: number): Promise<void> {
      const random = randomOf(seed, index);
      const method = random.pick(methods);
      const path = `/${method.parent.typeName}/${method.name}`;
      const { contentType, body } = contentOf(method, random);
      const { owner, machine } = ground().job;
      const by = method.parent.name === "ReadService" ? machine : owner;
      const request = signed(ground(), { path, contentType, body }, by);
      const { status, text } = await send(session, path, request.headers, body);
      told.set(status, (told.get(status) ?? 0) + 1);
      const about = `seed ${seed}, request ${index}: ${path} ${body.toString("base64")}: ${text}`;
      // 503 is a busy machine's.
      expect([200, 400, 401, 403, 404, 409, 413, 429, 503], about).toContain(status);
    }
    for (let index = 0; index < requests; index += atOnce)
      await Promise.all(Array.from({ length: atOnce }, (_, offset) => ask(index + offset)));
    session.close();
    console.log(`  seed ${seed}: ${JSON.stringify(Object.fromEntries(told))}`);
    expect(told.get(200)).toBeGreaterThan(0);
  });
}
