import { expect, test } from "vitest";
import { forwardProxyOf } from "./forward-proxy.ts";

const proxy = "http://proxy.example:3128";
const gateway = "https://vault.corp.example:8443";

test.each([
  ["", gateway, true],
  ["*", gateway, false],
  ["vault.corp.example", gateway, false],
  ["VAULT.corp.Example", gateway, false],
  ["corp.example", gateway, false],
  [".corp.example", gateway, false],
  ["*.corp.example", gateway, false],
  [".vault.corp.example", gateway, true],
  ["orp.example", gateway, true],
  ["vault.corp.example:8443", gateway, false],
  ["vault.corp.example:443", gateway, true],
  [".example:8443", gateway, false],
  ["other.example, corp.example", gateway, false],
  ["other.example corp.example", gateway, false],
  ["example:443", "https://vault.corp.example", false],
  ["10.1.2.3", "https://10.1.2.3:8443", false],
  ["10.1.2.3:8443", "https://10.1.2.3:8443", false],
  ["10.1.2.3:1", "https://10.1.2.3:8443", true],
  ["10.1.2.4", "https://10.1.2.3:8443", true],
  ["10.0.0.0/8", "https://10.1.2.3:8443", false],
  ["10.0.0.0/16", "https://10.1.2.3:8443", true],
  ["10.0.0.0/33", "https://10.1.2.3:8443", true],
  ["10.0.0.0/8", gateway, true],
  ["10.0.0.0/8", "https://[fd00::1]:8443", true],
  ["fd00::/8", "https://[fd00::1]:8443", false],
  ["fd00::1", "https://[fd00::1]:8443", false],
  ["[fd00::1]:8443", "https://[fd00::1]:8443", false],
  ["[fd00::1]:1", "https://[fd00::1]:8443", true],
  ["nonsense/x,://", gateway, true],
])('NO_PROXY "%s" and %s: by way of the proxy %s', (noProxy, url, isProxied) => {
  for (const name of ["NO_PROXY", "no_proxy"]) {
    const found = forwardProxyOf(new URL(url), { HTTPS_PROXY: proxy, [name]: noProxy });
    expect(found !== undefined, name).toBe(isProxied);
  }
});

test("of both cases of a variable the lower one counts, and an empty one is none", () => {
  const of = (env: Record<string, string>) => forwardProxyOf(new URL(gateway), env);
  expect(of({ https_proxy: "http://low:1", HTTPS_PROXY: "http://up:2" })?.url.host).toBe("low:1");
  expect(of({ https_proxy: "", HTTPS_PROXY: "http://up:2" })?.variable).toBe("HTTPS_PROXY");
  expect(of({ HTTPS_PROXY: "" })).toBeUndefined();
  expect(of({ HTTP_PROXY: proxy })).toBeUndefined();
  expect(of({ HTTPS_PROXY: proxy, no_proxy: "", NO_PROXY: "*" })).toBeDefined();
});

test("this computer's own addresses go directly, unless NO_PROXY is set to nothing", () => {
  for (const url of ["https://localhost:1", "https://127.0.0.9", "https://[::1]:8443"]) {
    expect(forwardProxyOf(new URL(url), { HTTPS_PROXY: proxy })).toBeUndefined();
    expect(
      forwardProxyOf(new URL(url), { HTTPS_PROXY: proxy, NO_PROXY: "corp.example" }),
    ).toBeUndefined();
    expect(forwardProxyOf(new URL(url), { HTTPS_PROXY: proxy, NO_PROXY: "" })).toBeDefined();
  }
  expect(forwardProxyOf(new URL("http://vault.example"), { HTTPS_PROXY: proxy })).toBeUndefined();
});

test("user and password go into a header and out of the address, whatever stands in them", () => {
  const found = forwardProxyOf(new URL(gateway), {
    HTTPS_PROXY: "https://us%40er:p%3Aw%2Fd@proxy:8",
  });
  expect(found?.url.href).toBe("https://proxy:8/");
  expect(found?.authorization).toBe(`Basic ${Buffer.from("us@er:p:w/d").toString("base64")}`);
  expect(forwardProxyOf(new URL(gateway), { HTTPS_PROXY: "proxy.example:3128" })?.url.href).toBe(
    "http://proxy.example:3128/",
  );
});

test("what is no address of a proxy is refused, and not shown", () => {
  for (const value of ["socks5://user:hidden@proxy:1080", "http://user:hidden@", "ftp://hidden"])
    expect(() => forwardProxyOf(new URL(gateway), { HTTPS_PROXY: value })).toThrow(
      /^HTTPS_PROXY is not the address of an http or https proxy$/,
    );
});
