import { describe, expect, test } from "vitest";
import { dangerOf, dangerousNames } from "./dangerous-names.ts";

describe("dangerOf", () => {
  test.each([
    "LD_PRELOAD",
    "DYLD_INSERT_LIBRARIES",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG",
    "PATH",
    "BASH_ENV",
    "ENV",
  ])("%s is dangerous", (name) => {
    expect(dangerOf(name)).toBeTypeOf("string");
  });
  test("letters of either case count", () => {
    expect(dangerOf("Path")).toBe(dangerOf("PATH"));
    expect(dangerOf("node_options")).toBe(dangerOf("NODE_OPTIONS"));
  });
  test.each(["DB_URL", "API_KEY", "ENVIRONMENT", "MY_PATH", "PATH_TO_KEY", "HOMEPAGE", "BUILD_LD_PRELOAD"])(
    "%s is not",
    (name) => {
      expect(dangerOf(name)).toBeUndefined();
    },
  );
  test("every name is in capitals, once, with its reason", () => {
    const names = dangerousNames.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, why } of dangerousNames) {
      expect(name).toBe(name.toUpperCase());
      expect(why).not.toBe("");
    }
  });
});
