import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ConfigError,
  type Setting,
  fileBytes,
  fileText,
  list,
  listen,
  optional,
  path,
  readSettings,
  seconds,
  share,
  text,
  url,
  wholeNumber,
} from "./index.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-config-"));
  writeFileSync(join(dir, "text"), "postgres://x\n");
  writeFileSync(join(dir, "bytes"), Buffer.from([0, 10, 255]));
  writeFileSync(join(dir, "empty"), "\n");
  writeFileSync(join(dir, "none"), "");
});
afterAll(() => rmSync(dir, { recursive: true }));

const variable = "SALLYPORT_X";
const window = seconds(variable, { default: 60, min: 1, max: 300 });

function valueOf<T>(setting: Setting<T>, value: string): T {
  return readSettings({ [variable]: value }, { x: setting }).x;
}

test.each<[string, Setting<unknown>, string, unknown]>([
  ["text", text(variable), " as it is ", " as it is "],
  ["path", path(variable), "relative/file", "relative/file"],
  ["list", list(variable), "a:1, b ,c", ["a:1", "b", "c"]],
  ["listen", listen(variable), "localhost:8443", { host: "localhost", port: 8443 }],
  ["listen on IPv6", listen(variable), "[::1]:0", { host: "::1", port: 0 }],
  ["url", url(variable), "https://localhost:9101/", "https://localhost:9101"],
  [
    "url without TLS, where that is allowed",
    url(variable, { plain: true }),
    "http://c:4318",
    "http://c:4318",
  ],
  ["seconds", window, "300", 300],
  ["share", share(variable, 0), "0.05", 0.05],
  ["share of all", share(variable, 0), "1", 1],
  ["a whole number", wholeNumber(variable, { max: 7 }), "7", 7],
])("%s is read", (_, setting, value, want) => {
  expect(valueOf(setting, value)).toEqual(want);
});

test.each<[string, Setting<unknown>, string]>([
  ["a list with a gap", list(variable), "a,,b"],
  ["an address without port", listen(variable), "localhost"],
  ["an address with a port too high", listen(variable), "localhost:65536"],
  ["a bare IPv6 address", listen(variable), "::1:80"],
  ["a URL without TLS", url(variable), "http://localhost:9101"],
  ["a URL with credentials", url(variable), "https://user:pass@localhost:9101"],
  ["a URL with a path", url(variable), "https://localhost:9101/x"],
  ["no URL", url(variable), "localhost:9101"],
  ["a URL of another protocol", url(variable, { plain: true }), "ftp://c:4318"],
  ["more than all", share(variable, 0), "1.01"],
  ["less than nothing", share(variable, 0), "-0.1"],
  ["a share that is no number", share(variable, 0), "0.0.5"],
  ["a share in per cent", share(variable, 0), "5%"],
  ["too few seconds", window, "0"],
  ["too many seconds", window, "301"],
  ["half a second", window, "1.5"],
  ["seconds with a unit", window, "60s"],
  ["a number too high", wholeNumber(variable, { max: 7 }), "8"],
  ["a number with a sign", wholeNumber(variable), "-1"],
  ["a file that is not there", fileText(variable), "/nowhere/file"],
])("%s is refused, naming the variable", (_, setting, value) => {
  expect(() => valueOf(setting, value)).toThrow(ConfigError);
  expect(() => valueOf(setting, value)).toThrow(variable);
});

test("a wrong value is not repeated: it may be a credential in the wrong place", () => {
  expect(() => valueOf(url(variable), "https://user:pass@localhost:9101")).not.toThrow(/pass/);
});

describe("files", () => {
  test("hold text, without the end of the line", () => {
    expect(valueOf(fileText(variable), join(dir, "text"))).toBe("postgres://x");
  });
  test("hold bytes, as they are", () => {
    expect(valueOf(fileBytes(variable), join(dir, "bytes"))).toEqual(Buffer.from([0, 10, 255]));
  });
  test("are refused when empty", () => {
    expect(() => valueOf(fileText(variable), join(dir, "empty"))).toThrow(
      /SALLYPORT_X names an empty file/,
    );
    expect(() => valueOf(fileBytes(variable), join(dir, "none"))).toThrow(
      /SALLYPORT_X names an empty file/,
    );
  });
});

describe("absent", () => {
  const must = text("SALLYPORT_MUST");
  const part = share("SALLYPORT_PART", 0.5);
  const specification = { must, may: optional(text("SALLYPORT_MAY")), window, part };
  test("values are refused, undefined or the default", () => {
    expect(() => readSettings({}, specification)).toThrow("SALLYPORT_MUST is missing");
    expect(() => readSettings({ SALLYPORT_MUST: "" }, specification)).toThrow(
      "SALLYPORT_MUST is missing",
    );
    const values = readSettings({ SALLYPORT_MUST: "x", SALLYPORT_MAY: "" }, specification);
    expect(values).toEqual({ must: "x", may: undefined, window: 60, part: 0.5 });
  });
});

test("a variable of ours that is no setting is refused; others are not looked at", () => {
  const specification = { level: optional(text("SALLYPORT_LOG_LEVEL")) };
  expect(() => readSettings({ SALLYPORT_LOGLEVEL: "debug" }, specification)).toThrow(
    /SALLYPORT_LOGLEVEL is not a setting/,
  );
  expect(readSettings({ PATH: "/bin" }, specification)).toEqual({ level: undefined });
});

test("all faults are told at once", () => {
  const specification = { a: text("SALLYPORT_A"), b: listen("SALLYPORT_B") };
  const read = () => readSettings({ SALLYPORT_B: "x", SALLYPORT_C: "x" }, specification);
  expect(read).toThrow(/SALLYPORT_C.*SALLYPORT_A.*SALLYPORT_B/);
});
