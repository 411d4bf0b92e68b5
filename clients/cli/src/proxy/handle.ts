import { Code } from "@connectrpc/connect";
import { maxContentBytes } from "@sallyport/proto/signing";
import { type Answer, type ToolRequest, collect } from "./exchange.ts";
import { checkRequest } from "./guard.ts";
import { ProxyRefusal, refusalAnswer } from "./refusal.ts";
import { admit } from "./secret.ts";

/** The handling of a tool's requests: the proxy's own names, and its upstream. */
export type Handling = {
  readonly authorities: ReadonlySet<string>;
  /** The secret that every request has to show; undefined on a socket, which file modes protect. */
  readonly secret: string | undefined;
  readonly forward: (request: ToolRequest, body: Buffer) => Promise<Answer>;
};

/**
 * Answers one request of a tool: checks it, reads it whole, has it signed and taken on. Never
 * throws.
 */
export function handle(request: ToolRequest, handling: Handling): Promise<Answer> {
  return answerOf(request, handling).catch((error: unknown) =>
    refusalAnswer(
      request.headers["content-type"] ?? "",
      error instanceof ProxyRefusal
        ? error
        : new ProxyRefusal(Code.Internal, "the request could not be handled"),
    ),
  );
}

async function answerOf(
  request: ToolRequest,
  { authorities, secret, forward }: Handling,
): Promise<Answer> {
  const admitted = secret === undefined ? request : admit(request, secret);
  checkRequest(admitted, authorities);
  // The gateway has a limit for each method, and reports it; none is higher than this.
  const body = await collect(admitted.body, maxContentBytes);
  if (!body)
    throw new ProxyRefusal(
      Code.ResourceExhausted,
      `a request has at most ${maxContentBytes / 1024} KiB`,
    );
  return forward(admitted, body);
}
