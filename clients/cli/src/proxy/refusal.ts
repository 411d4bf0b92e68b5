/** Why the proxy itself refuses a request, before anything is signed. */
export class ProxyRefusal extends Error {
  override readonly name = "ProxyRefusal";
  readonly code: ProxyCode;

  constructor(code: ProxyCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The Connect codes that the proxy answers with, each with its HTTP status and its number in gRPC. */
export const proxyCodes = {
  invalid_argument: { http: 400, grpc: 3 },
  permission_denied: { http: 403, grpc: 7 },
  resource_exhausted: { http: 429, grpc: 8 },
  unimplemented: { http: 404, grpc: 12 },
  data_loss: { http: 500, grpc: 15 },
  unauthenticated: { http: 401, grpc: 16 },
  unavailable: { http: 503, grpc: 14 },
} as const;

/** One of them. */
export type ProxyCode = keyof typeof proxyCodes;
