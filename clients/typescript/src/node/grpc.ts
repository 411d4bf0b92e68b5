import { type Interceptor, InterceptingCall } from "@grpc/grpc-js";
import type { Signer } from "./signer.ts";

/**
 * Signs unary calls of @grpc/grpc-js. `authority` is the channel's target as the server sees it,
 * such as "sallyport.example:8443". The call is held until its message is known, framed once for
 * the digest (SIGNING §5) and then started. Set the channel's option "grpc.enable_retries" to 0,
 * since a repeated request is refused as a replay, and name the client in
 * "grpc.primary_user_agent".
 */
export function signingInterceptor(signer: Signer, authority: string): Interceptor {
  return (options, nextCall) => {
    const { path, requestSerialize } = options.method_definition;
    let begin: ((signed: Readonly<Record<string, string>>) => void) | undefined;
    return new InterceptingCall(nextCall(options), {
      start(metadata, listener, next) {
        begin = (signed) => {
          const withSignature = metadata.clone();
          for (const [name, value] of Object.entries(signed)) withSignature.set(name, value);
          next(withSignature, listener);
        };
      },
      sendMessage(message, next) {
        const content = requestSerialize(message);
        const frame = Buffer.alloc(5 + content.length);
        frame.writeUInt32BE(content.length, 1);
        frame.set(content, 5);
        begin?.(signer.sign({ authority, path, contentType: "application/grpc" }, frame).headers);
        next(message);
      },
    });
  };
}
