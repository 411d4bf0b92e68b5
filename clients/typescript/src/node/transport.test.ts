import { createServer } from "node:http2";
import { type AddressInfo, type Socket, createServer as createTcpServer } from "node:net";
import { Code, ConnectError, type Interceptor, createClient } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ErrorInfoSchema } from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { parseSignatureInput } from "@sallyport/proto/signing";
import { startForwarder } from "@sallyport/test/infra";
import { afterEach, describe, expect, test } from "vitest";
import { createClock } from "../core/clock.ts";
import { SallyportError, toSallyportError } from "../core/errors.ts";
import { newSeed } from "./keys.ts";
import { createSigner } from "./signer.ts";
import { createTestOwners } from "../testing/owners.ts";
import { type ConnectionOptions, createSignedTransport } from "./transport.ts";
import { version } from "../core/version.ts";

const owners = createTestOwners();
const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

type Seen = { readonly created: number; readonly nonce: string; readonly userAgent: string };

/** A gateway with a window of 60 seconds around its own time, which it tells. */
async function gatewayAt(
  now: () => number,
  told: () => string = () => new Date(now()).toISOString(),
) {
  const seen: Seen[] = [];
  const judge: Interceptor = (next) => async (request) => {
    const { created, nonce } = parseSignatureInput(request.header.get("signature-input") ?? "");
    seen.push({ created, nonce, userAgent: request.header.get("user-agent") ?? "" });
    if (Math.abs(created - now() / 1000) <= 60) return next(request);
    const detail = { reason: "CLOCK_SKEW", domain: "sallyport", metadata: { server_time: told() } };
    throw new ConnectError("skewed", Code.Unauthenticated, undefined, [
      { desc: ErrorInfoSchema, value: detail },
    ]);
  };
  const handler = connectNodeAdapter({
    interceptors: [judge, owners.signing],
    routes: (router) => {
      router.service(UserService, { whoAmI: () => ({ name: "me" }) });
      router.rpc(ReadService.method.getKeyset, () => ({ keyset: owners.keyset }));
    },
  });
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

function usersAt(url: string, protocol: "connect" | "grpc", options: ConnectionOptions = {}) {
  const clock = createClock();
  const signer = createSigner(newSeed(), "mch_00000000000000000000", clock.now);
  const { transport, close } = createSignedTransport(
    { url, rootFingerprint: owners.rootFingerprint },
    signer,
    protocol,
    {
      ...options,
      clock,
    },
  );
  stops.push(close);
  return createClient(UserService, transport);
}

describe.each(["connect", "grpc"] as const)("over %s", (protocol) => {
  test("a request refused for its time is signed once more by the server's, and says so", async () => {
    const gateway = await gatewayAt(() => Date.now() + 300_000);
    const corrections: number[] = [];
    const users = usersAt(gateway.url, protocol, { onClockSet: (ms) => corrections.push(ms) });
    expect((await users.whoAmI({})).name).toBe("me");
    expect((await users.whoAmI({})).name).toBe("me");
    expect(corrections).toHaveLength(1);
    expect(corrections[0]).toBeGreaterThan(290_000);
    // The keyset twice, and then each question once.
    expect(gateway.seen).toHaveLength(4);
    expect(new Set(gateway.seen.map(({ nonce }) => nonce)).size).toBe(4);
  });

  test("requests that are refused together are all signed once more, and the clock is set once", async () => {
    const gateway = await gatewayAt(() => Date.now() + 300_000);
    const corrections: number[] = [];
    const users = usersAt(gateway.url, protocol, { onClockSet: (ms) => corrections.push(ms) });
    const answers = await Promise.all(Array.from({ length: 5 }, () => users.whoAmI({})));
    expect(answers.map(({ name }) => name)).toEqual(Array(5).fill("me"));
    expect(corrections).toHaveLength(1);
  });

  test("a server whose clock was wrong for a while is followed back", async () => {
    let offsetMs = 300_000;
    const gateway = await gatewayAt(() => Date.now() + offsetMs);
    const users = usersAt(gateway.url, protocol);
    for (const next of [300_000, 0, -300_000]) {
      offsetMs = next;
      expect((await users.whoAmI({})).name).toBe("me");
    }
    expect(gateway.seen).toHaveLength(7);
  });

  test("a time that is too far off is not believed", async () => {
    const gateway = await gatewayAt(() => Date.now() + 3_600_000);
    const failure = await usersAt(gateway.url, protocol).whoAmI({}).catch(toSallyportError);
    expect(failure).toMatchObject({ reason: "CLOCK_SKEW" });
    expect(gateway.seen).toHaveLength(1);
  });

  test("a server that is never content is asked a few times, not for ever", async () => {
    const gateway = await gatewayAt(
      () => Date.now() + 3_600_000,
      () => new Date(Date.now() + 120_000).toISOString(),
    );
    await expect(usersAt(gateway.url, protocol).whoAmI({})).rejects.toThrow();
    expect(gateway.seen).toHaveLength(3);
  });
});

test("the user agent is the library's, or the one given", async () => {
  const gateway = await gatewayAt(Date.now);
  await usersAt(gateway.url, "connect").whoAmI({});
  await usersAt(gateway.url, "grpc", { userAgent: "tool/1" }).whoAmI({});
  expect([...new Set(gateway.seen.map(({ userAgent }) => userAgent))]).toEqual([
    `sallyport-js/${version}`,
    "tool/1",
  ]);
});

describe("a gateway that does not answer", () => {
  async function silent(): Promise<string> {
    const sockets = new Set<Socket>();
    const server = createTcpServer((socket) => sockets.add(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    stops.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return `https://localhost:${(server.address() as AddressInfo).port}`;
  }

  test("ends an attempt after its time", async () => {
    const failure = await usersAt(await silent(), "connect", { attemptMs: 100 })
      .whoAmI({})
      .catch(toSallyportError);
    expect(failure).toMatchObject({ reason: "UNREACHABLE", metadata: { cause: "TIMEOUT" } });
  });

  test("or breaks off is out of reach, and no failure of the server's", async () => {
    const server = createTcpServer((socket) => socket.once("data", () => socket.resetAndDestroy()));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    stops.push(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const failure = await usersAt(url, "connect").whoAmI({}).catch(toSallyportError);
    expect(failure).toMatchObject({ reason: "UNREACHABLE" });
    expect(["CLOSED", "ECONNRESET"]).toContain(
      failure instanceof SallyportError && failure.metadata["cause"],
    );
  });

  test("is left when the caller's own time is over", async () => {
    const started = performance.now();
    const failure = await usersAt(await silent(), "connect", { signal: AbortSignal.timeout(100) })
      .whoAmI({})
      .catch(toSallyportError);
    expect(failure).toMatchObject({ reason: "UNREACHABLE" });
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test("and a balancer that answers in its place has a cause of its own", async () => {
    for (const status of [429, 502, 503, 504]) {
      const server = createServer((_, response) => response.writeHead(status).end("<html>"));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      stops.push(() => void server.close());
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const failure = await usersAt(url, "connect").whoAmI({}).catch(toSallyportError);
      expect(failure).toMatchObject({ reason: "UNREACHABLE", metadata: { cause: "UNAVAILABLE" } });
    }
  });

  test("that refuses connections is named by the system's code", async () => {
    const failure = await usersAt("https://localhost:1", "connect")
      .whoAmI({})
      .catch(toSallyportError);
    expect(failure).toMatchObject({ reason: "UNREACHABLE", metadata: { cause: "ECONNREFUSED" } });
  });
});

describe.each(["connect", "grpc"] as const)(
  "a connection that was lost in silence, over %s",
  (protocol) => {
    async function lost(options: ConnectionOptions) {
      const gateway = await gatewayAt(Date.now);
      const forwarder = await startForwarder(Number(new URL(gateway.url).port));
      stops.push(() => forwarder[Symbol.asyncDispose]());
      const users = usersAt(`http://127.0.0.1:${forwarder.port}`, protocol, options);
      expect((await users.whoAmI({})).name).toBe("me");
      forwarder.silence();
      return { users, forwarder };
    }

    test("costs one attempt: the next goes over another", async () => {
      const { users, forwarder } = await lost({ attemptMs: 500 });
      const failure = await users.whoAmI({}).catch(toSallyportError);
      expect(failure).toMatchObject({ reason: "UNREACHABLE", metadata: { cause: "TIMEOUT" } });
      expect((await users.whoAmI({})).name).toBe("me");
      expect(forwarder.connections()).toBe(2);
    });

    test("costs one call whose own time was over", async () => {
      const { users, forwarder } = await lost({});
      await expect(users.whoAmI({}, { signal: AbortSignal.timeout(300) })).rejects.toThrow();
      expect((await users.whoAmI({})).name).toBe("me");
      expect(forwarder.connections()).toBe(2);
    });
  },
);
