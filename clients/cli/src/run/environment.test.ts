import { expect, test } from "vitest";
import { childEnvironment } from "./environment.ts";

const env = {
  PATH: "/bin",
  HOME: "/home/ada",
  LC_ALL: "C",
  OTHER: "o",
  SALLYPORT_IDENTITY: "/i",
  SALLYPORT_ENROLLMENT_TOKEN: "t",
};
const variables = [{ name: "DB_URL", plaintext: Buffer.from("db") }];
const all = { inherit: true, keep: [] };

test("a child inherits everything but Sallyport's own variables", () => {
  expect(childEnvironment(env, variables, all)).toEqual({
    PATH: "/bin",
    HOME: "/home/ada",
    LC_ALL: "C",
    OTHER: "o",
    DB_URL: "db",
  });
});

test("or only what it cannot do without, and what is kept; Sallyport's own even then not", () => {
  const keep = ["OTHER", "SALLYPORT_ENROLLMENT_TOKEN"];
  expect(childEnvironment(env, variables, { inherit: false, keep: [] })).not.toHaveProperty(
    "OTHER",
  );
  expect(childEnvironment(env, variables, { inherit: false, keep })).toEqual({
    PATH: "/bin",
    HOME: "/home/ada",
    LC_ALL: "C",
    OTHER: "o",
    DB_URL: "db",
  });
});

test("a secret goes before what is inherited", () => {
  expect(childEnvironment({ DB_URL: "stale" }, variables, all)).toEqual({ DB_URL: "db" });
});

test("what no environment can hold is refused", () => {
  const of = (plaintext: Buffer) => () => childEnvironment(env, [{ name: "A", plaintext }], all);
  expect(of(Buffer.from("a\0b"))).toThrow(/A holds a NUL byte/);
  expect(of(Buffer.from([0xff, 0xfe]))).toThrow(/A is not UTF-8/);
});
