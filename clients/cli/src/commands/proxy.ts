import { createClock } from "@sallyport/client";
import { defineCommand } from "../command/define.ts";
import { choice, textOr } from "../command/options.ts";
import { nullable, object, text } from "../command/shape.ts";
import type { Context } from "../context.ts";
import { parseListen } from "../proxy/address.ts";
import { ProxyRefusal } from "../proxy/refusal.ts";
import { startProxyServer } from "../proxy/server.ts";
import { type Upstream, openUpstream } from "../proxy/upstream.ts";
import { stopSignal } from "../stop-signal.ts";
import { chooseIdentity } from "../vaults/choose.ts";

type Kind = "user" | "machine";

/** `sallyport proxy`: signs requests of tools that cannot sign, until it is stopped. */
export const proxy = defineCommand({
  description:
    "Listens on this computer alone, for HTTP/1.1 and HTTP/2 without TLS, and passes every request on to the gateway, " +
    "signed as you or as this machine. Who can reach it acts as you: a socket (unix:PATH) is closed to all others, and " +
    "a port to other users where the system tells who connects. A tool that asks for values gets them unsealed.",
  args: {},
  options: {
    listen: textOr("127.0.0.1:0", "where: a port of this computer (0 takes a free one) or unix:PATH", {
      value: "address",
    }),
    as: choice("which identity signs; the user's if there is one", ["user", "machine"]),
  },
  examples: [
    ["sallyport proxy", "on a free port, which it prints"],
    ["sallyport proxy --as machine --listen unix:$HOME/sallyport.sock", "on a socket"],
  ],
  json: object({
    url: text("the address for tools; http://localhost for a socket"),
    socket: nullable(text("the socket's path; null for a port")),
    principal: text("the id of who signs"),
    gateway: text("where requests go"),
  }),
  async run({ options: { listen, as }, context, emit }) {
    const address = parseListen(listen);
    const kinds: readonly Kind[] = as === undefined ? ["user", "machine"] : [as];
    const stopped = stopSignal();
    const clock = await checkedClock(context, kinds);
    const upstreams = createUpstreams(context, kinds, clock.now);
    const identity = await upstreams.identity();
    await using server = await startProxyServer(address, {
      forward: async (request, body) => (await upstreams.current()).forward(request, body),
    });
    const socket = address.kind === "socket" ? address.path : null;
    emit({ url: server.url, socket, principal: identity.principalId, gateway: identity.url });
    await stopped;
    upstreams.close();
    return undefined;
  },
  show({ url, socket, principal, gateway }, screen) {
    screen.mark("ok", `signing as ${principal} for ${gateway}`, "Ctrl-C stops it");
    screen.facts(
      socket === null
        ? [["address", url]]
        : [
            ["socket", socket],
            ["address", `${url} (for tools that want one)`],
          ],
    );
    const where = socket === null ? url : `--unix-socket ${socket} ${url}`;
    const method = "sallyport.identity.v1.UserService/WhoAmI";
    screen.line("");
    screen.line(`  curl ${where}/${method} -H 'content-type: application/json' -d '{}'`);
    screen.line(`  buf curl --schema proto ${where}/${method} -d '{}'`);
    screen.line(
      `  buf curl --schema proto --protocol grpc --http2-prior-knowledge ${where}/${method} -d '{}'`,
    );
  },
});

// Before anything is signed for others: the gateway is the one that was pinned, and what time it has.
async function checkedClock({ session }: Context, kinds: readonly Kind[]) {
  const { serverTimeMs } = await session.asAny(kinds, (client) => client.checkDeployment());
  const clock = createClock();
  if (serverTimeMs !== undefined) clock.correct(new Date(serverTimeMs).toISOString());
  return clock;
}

/** The way to the gateway, opened anew when the identity has expired and another has taken its place. */
function createUpstreams({ choice: chosen }: Context, kinds: readonly Kind[], now: () => number) {
  let open: { upstream: Upstream; expiresAtMs: number } | undefined;
  const identity = () => chooseIdentity(chosen, kinds);
  return {
    identity,
    async current(): Promise<Upstream> {
      if (open && Date.now() < open.expiresAtMs) return open.upstream;
      open?.upstream.close();
      const found = await identity().catch((error: unknown) => {
        throw new ProxyRefusal(
          "unauthenticated",
          error instanceof Error ? error.message : "there is no identity",
        );
      });
      open = { upstream: openUpstream(found, now), expiresAtMs: Date.parse(found.expiresAt) };
      return open.upstream;
    },
    close: () => open?.upstream.close(),
  };
}
