import { afterEach, describe, expect, test, vi } from "vitest";
import { EvictionError, type RedisConnection, connectRedis } from "./redis.ts";

const nowhere = "unix:///nowhere/redis.sock";
let connection: RedisConnection | undefined;

function connect(url: string): RedisConnection {
  connection = connectRedis(url);
  return connection;
}

afterEach(() => connection?.redis.disconnect());

describe("the address", () => {
  test("of a socket gives its path, decoded, and who connects", () => {
    const { redis } = connect("unix:///nowhere/a%20b.sock?username=gateway&password=p%26s");
    expect(redis.options).toMatchObject({
      path: "/nowhere/a b.sock",
      username: "gateway",
      password: "p&s",
      commandTimeout: 1000,
    });
  });

  test("of a socket needs nobody's name", () => {
    const { redis } = connect(nowhere);
    expect(redis.options).toMatchObject({
      path: "/nowhere/redis.sock",
      username: null,
      password: null,
    });
  });

  test("of a host gives host, port and who connects", () => {
    const { redis } = connect("redis://gateway:secret@127.0.0.1:1");
    expect(redis.options).toMatchObject({
      host: "127.0.0.1",
      port: 1,
      username: "gateway",
      password: "secret",
      commandTimeout: 1000,
    });
    expect(redis.options.path).toBeUndefined();
  });
});

test("a command is sent once, and a lost connection is opened again, at the latest after a second", () => {
  const { maxRetriesPerRequest, autoResendUnfulfilledCommands, retryStrategy } =
    connect(nowhere).redis.options;
  expect({ maxRetriesPerRequest, autoResendUnfulfilledCommands }).toEqual({
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
  });
  expect([1, 2, 20, 21].map((attempt) => retryStrategy?.(attempt))).toEqual([50, 100, 1000, 1000]);
});

test("a connection that cannot be made is not written to the standard error", async () => {
  const written = vi.spyOn(console, "error").mockReturnValue();
  try {
    const { redis } = connect(nowhere);
    await new Promise((resolve) => redis.once("close", resolve));
    expect(written).not.toHaveBeenCalled();
  } finally {
    written.mockRestore();
  }
});

describe("the run id", () => {
  const info =
    "# Server\r\nredis_version:8.0.0\r\nother_run_id:0000\r\nrun_id:4e5f\r\nport:0\r\n" +
    "# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n";

  test("is the one that the server tells, asked for once", async () => {
    const { redis, runId } = connect(nowhere);
    const asked = vi.spyOn(redis, "info").mockResolvedValue(info);
    expect(await Promise.all([runId(), runId()])).toEqual(["4e5f", "4e5f"]);
    expect(await runId()).toBe("4e5f");
    expect(asked.mock.calls).toEqual([["server"], ["memory"]]);
  });

  test("is asked for again after the connection was lost", async () => {
    const { redis, runId } = connect(nowhere);
    const asked = vi.spyOn(redis, "info").mockResolvedValue(info);
    await runId();
    redis.emit("close");
    asked.mockResolvedValue(info.replace("4e5f", "0ther"));
    expect(await runId()).toBe("0ther");
    expect(asked).toHaveBeenCalledTimes(4);
  });

  test("is asked for again after a question that failed, or that was answered without one", async () => {
    const { redis, runId } = connect(nowhere);
    vi.spyOn(redis, "info")
      .mockRejectedValueOnce(new Error("away"))
      .mockResolvedValueOnce(info)
      .mockResolvedValueOnce("redis_version:8.0.0")
      .mockResolvedValue(info);
    await expect(runId()).rejects.toThrow(new Error("away"));
    await expect(runId()).rejects.toThrow(new Error("Redis reported no run_id"));
    expect(await runId()).toBe("4e5f");
  });

  test.each([
    ["maxmemory_policy:allkeys-lru", "allkeys-lru"],
    ["maxmemory:0", "unknown"],
    ["former_maxmemory_policy:noeviction\r\nmaxmemory_policy:allkeys-lfu", "allkeys-lfu"],
  ])("is not given by a server that may forget: %s", async (memory, policy) => {
    const { redis, runId } = connect(nowhere);
    vi.spyOn(redis, "info").mockResolvedValueOnce(info).mockResolvedValueOnce(memory);
    const error: unknown = await runId().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(EvictionError);
    expect(String(error)).toMatch(
      new RegExp(`^EvictionError: Redis has maxmemory-policy ${policy} and .*to noeviction`),
    );
  });
});
