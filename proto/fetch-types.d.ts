import type { HeadersInit as UndiciHeadersInit } from "undici-types";

declare global {
  /** Connect's declarations name this DOM type, which Node's declarations do not make global. */
  type HeadersInit = UndiciHeadersInit;
}
