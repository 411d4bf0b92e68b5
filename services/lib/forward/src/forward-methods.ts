import {
  type DescMessage,
  type DescMethodUnary,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type {
  Credential,
  SignedRequest,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import type { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import type { Tx } from "@sallyport/postgres";
import { type Principal, decodeBody, encodeBody } from "@sallyport/evidence";
import { methodPath } from "@sallyport/proto/names/method-path";

/** A verified public request. Exactly one of `principal` and `newKey` is set. */
export type ForwardContext = {
  readonly principal?: Principal;
  /** The raw public key of a signer that is not enrolled yet. */
  readonly newKey?: Uint8Array;
  /** The client's address as the gateway asserted it. */
  readonly sourceIp: string;
  /** The client's name of itself, at most 64 printable characters. */
  readonly client: string;
  readonly requestId: string;
  readonly requestDigest: Uint8Array;
  /** The evidence, for a peer that verifies again. */
  readonly signedRequest: SignedRequest;
  readonly credential?: Credential;
  /**
   * Judges the roles that policy says the signer has in the projects that the request concerns:
   * tells of each whether it may be shown; throws Failure PROJECT_ROLE_REQUIRED when one that is
   * shown is too little for the method. A method for which a project role counts and that judged
   * nothing changes nothing and is answered INTERNAL.
   */
  judge(inProjects: readonly ProjectRole[]): boolean[];
  /**
   * Runs the only change of the request in one transaction together with the mark that its digest
   * was seen: a replayed request changes nothing and is refused with REQUEST_REJECTED. Answers
   * after what must follow the commit was done.
   */
  mutate<T>(run: (tx: Tx) => Promise<T>): Promise<T>;
};

type Handler<I extends DescMessage, O extends DescMessage> = (
  context: ForwardContext,
  request: MessageShape<I>,
) => Promise<MessageInitShape<O>>;

/** One handler for each method of a public service. A method without one does not compile. */
export type ForwardHandlers<S extends DescService> = {
  readonly [M in keyof S["method"]]: S["method"][M] extends DescMethodUnary<infer I, infer O>
    ? Handler<I, O>
    : never;
};

/**
 * Runs one public method: decodes the signed body strictly and returns the reply as encodeBody
 * writes it.
 */
export type ForwardRun = (context: ForwardContext) => Promise<Uint8Array>;

/** The methods of one public service by their paths. */
export type ForwardMethods = ReadonlyMap<string, ForwardRun>;

/** Joins a public service and its handlers for createForwarder. */
export function forwardMethods<S extends DescService>(
  service: S,
  handlers: ForwardHandlers<S>,
): ForwardMethods {
  // Security: the mapped type pairs every handler with its own method's messages; only the pairing
  // is lost here.
  const byName = handlers as Readonly<Record<string, Handler<DescMessage, DescMessage>>>;
  return new Map(
    service.methods.map((method) => {
      const handler = byName[method.localName];
      if (!handler || method.methodKind !== "unary")
        throw new Error(`${methodPath(method)} has no unary handler`);
      return [methodPath(method), runnerOf(method, handler)];
    }),
  );
}

/**
 * Joins one method and its handler for createForwarder, where an owner answers a part of a service
 * only.
 */
export function forwardMethod<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  handler: Handler<I, O>,
): ForwardMethods {
  return new Map([[methodPath(method), runnerOf(method, handler)]]);
}

function runnerOf<I extends DescMessage, O extends DescMessage>(
  { input, output }: { readonly input: I; readonly output: O },
  handler: Handler<I, O>,
): ForwardRun {
  return async (context) => {
    const response = await handler(context, decodeBody(input, context.signedRequest));
    return encodeBody(output, response, context.signedRequest);
  };
}
