import { Code } from "@connectrpc/connect";
import { maxContentBytes } from "@sallyport/proto/signing";
import { type Answer, type ToolRequest, collect } from "./exchange.ts";
import { checkRequest } from "./guard.ts";
import { ProxyRefusal, refusalAnswer } from "./refusal.ts";
import { admit } from "./secret.ts";

/** What answers a tool: the names by which the proxy may be called, and the way on. */
export type Handling = {
  readonly authorities: ReadonlySet<string>;
  /** What every request has to show; undefined on a socket, which the system keeps closed. */
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
  // The gateway bounds each method by itself, and says so; more than this it takes of none.
  const body = await collect(admitted.body, maxContentBytes);
  if (!body)
    throw new ProxyRefusal(
      Code.ResourceExhausted,
      `a request has at most ${maxContentBytes / 1024} KiB`,
    );
  return forward(admitted, body);
}
