import { join, resolve } from "node:path";
import { Code } from "@connectrpc/connect";
import { createClock } from "@sallyport/client";
import { defineCommand } from "../definition/define.ts";
import { choice, text as textOption } from "../definition/options.ts";
import { nullable, object, text } from "../definition/shape.ts";
import type { Context } from "../app/context.ts";
import { UsageError } from "../app/failure.ts";
import { type ListenAddress, parsePort } from "../proxy/address.ts";
import { proxyFolder } from "../proxy/folder.ts";
import { keepHeader } from "../proxy/header-file.ts";
import { recipes } from "../proxy/recipes.ts";
import { ProxyRefusal } from "../proxy/refusal.ts";
import { startProxyServer } from "../proxy/server.ts";
import { type Upstream, openUpstream } from "../proxy/upstream.ts";
import { stopSignal } from "../app/stop-signal.ts";
import { chooseIdentity } from "../vaults/choose.ts";

type Kind = "user" | "machine";

/** `sallyport proxy`: signs requests of tools that cannot sign, until it is stopped. */
export const proxy = defineCommand({
  description:
    "Listens on this computer alone, for HTTP/1.1 and HTTP/2 without TLS, and forwards every " +
    "request to the gateway, signed as you or as this machine. Anyone who can reach it acts as " +
    "you. It listens on a socket that no other user can open, or with --listen on a port, " +
    "where every request must carry a secret that is new at each start: keep it off command " +
    "lines, which every user can see. A tool that asks for values gets them unsealed. " +
    "--timeout is the limit for one answer of the gateway.",
  args: {},
  options: {
    socket: textOption(
      "the socket's path, in a folder that is yours alone; proxy.sock unless you say",
      {
        value: "path",
        complete: "files",
      },
    ),
    listen: textOption(
      "a port of this computer instead, for tools that know no sockets: 127.0.0.1:8088, or " +
        "127.0.0.1:0 for a free one",
      {
        value: "address",
      },
    ),
    as: choice("which identity signs; the user's if there is one", ["user", "machine"]),
  },
  examples: [
    [
      "sallyport proxy",
      "on a socket; what it prints says what to type for curl, buf curl and grpcurl",
    ],
    [
      "sallyport proxy --as machine --socket ~/.sallyport.d/build.sock",
      "on a socket of another name",
    ],
    ["sallyport proxy --listen 127.0.0.1:0", "on a free port, with a secret"],
  ],
  json: object({
    url: text(
      "the address for tools; http://localhost for a socket, and with the secret for a port",
    ),
    socket: nullable(text("the socket's path; null for a port")),
    headerFile: nullable(
      text("the file with the secret's header, for -H @FILE; null for a socket"),
    ),
    principal: text("the id of who signs"),
    gateway: text("where requests go"),
  }),
  async run({ options: { socket, listen, as }, context, emit }) {
    if (socket !== undefined && listen !== undefined)
      throw new UsageError("--socket and --listen cannot be given together");
    const folder = (): string => proxyFolder(context.env);
    const address =
      listen === undefined ? onSocket(socket ?? join(folder(), "proxy.sock")) : parsePort(listen);
    const kinds: readonly Kind[] = as === undefined ? ["user", "machine"] : [as];
    const stopped = stopSignal();
    const clock = await checkedClock(context, kinds);
    const upstreams = createUpstreams(context, kinds, clock.now);
    const identity = await upstreams.identity();
    await using server = await startProxyServer(address, {
      forward: async (request, body) => (await upstreams.current()).forward(request, body),
    });
    const { url, secret } = server;
    await using header = secret === undefined ? undefined : await keepHeader(folder(), url, secret);
    emit({
      url: secret === undefined ? url : `${url}/${secret}`,
      socket: address.kind === "socket" ? address.path : null,
      headerFile: header?.path ?? null,
      principal: identity.principalId,
      gateway: identity.url,
    });
    await stopped;
    upstreams.close();
    return undefined;
  },
  show({ url, socket, headerFile, principal, gateway }, screen) {
    screen.mark("ok", `signing as ${principal} for ${gateway}`, "Ctrl-C stops it");
    const { origin } = new URL(url);
    screen.facts(
      socket === null
        ? [
            ["address", `${origin}, for tools that can send a header`],
            ["header", `in ${headerFile ?? ""}`],
            ["address with the secret", `${url}, for those that cannot`],
          ]
        : [
            ["socket", socket],
            ["address", `${origin}, for tools that want one`],
          ],
    );
    screen.line("");
    for (const line of recipes({ url: origin, socket, headerFile })) screen.line(`  ${line}`);
  },
});

function onSocket(path: string): ListenAddress {
  return { kind: "socket", path: resolve(path) };
}

// Before anything is signed for others: the gateway is the one that was pinned, and what time it
// has.
async function checkedClock({ session }: Context, kinds: readonly Kind[]) {
  const { serverTimeMs } = await session.asAny(kinds, (client) => client.checkDeployment());
  const clock = createClock();
  if (serverTimeMs !== undefined) clock.correct(new Date(serverTimeMs).toISOString());
  return clock;
}

/**
 * The way to the gateway, reopened when the identity has expired and was replaced by another.
 */
function createUpstreams(
  { choice: chosen, globals }: Context,
  kinds: readonly Kind[],
  now: () => number,
) {
  let open: { upstream: Upstream; expiresAtMs: number } | undefined;
  const identity = () => chooseIdentity(chosen, kinds);
  return {
    identity,
    async current(): Promise<Upstream> {
      if (open && Date.now() < open.expiresAtMs) return open.upstream;
      open?.upstream.close();
      const found = await identity().catch((error: unknown) => {
        throw new ProxyRefusal(
          Code.Unauthenticated,
          error instanceof Error ? error.message : "there is no identity",
        );
      });
      open = {
        upstream: openUpstream(found, { now, answerMs: globals.timeoutMs }),
        expiresAtMs: Date.parse(found.expiresAt),
      };
      return open.upstream;
    },
    close: () => open?.upstream.close(),
  };
}
