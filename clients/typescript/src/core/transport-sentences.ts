const untrusted =
  /^(?:UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_UNTRUSTED|CERT_CHAIN_TOO_LONG|INVALID_CA)/;
const noTls = new Set(["ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_PACKET_LENGTH_TOO_LONG", "EPROTO"]);
const noHttp2 = new Set(["ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL", "ERR_HTTP2_ERROR"]);

/**
 * Returns the meaning of a connection failure by the system's code for it, else the system's own
 * message, on one line. The error is the transport's, with the system's among its causes.
 */
export function transportSentence(code: string, message: string, error: unknown): string {
  if (untrusted.test(code)) return "the gateway's certificate is of a CA that is not trusted here";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return wrongName(error) ?? oneLine(message);
  if (noTls.has(code)) return "what answers at this address does not speak TLS";
  if (noHttp2.has(code)) return "what answers at this address does not speak HTTP/2";
  if (code === "NOT_A_GATEWAY") return `what answers at this address is no gateway${said(message)}`;
  if (code === "CLOSED") return "the connection to the gateway was lost";
  return oneLine(message);
}

function wrongName(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const host: unknown = Reflect.get(error, "host");
  const certificate: unknown = Reflect.get(error, "cert");
  if (typeof certificate !== "object" || certificate === null) return wrongName(error.cause);
  const names: unknown = Reflect.get(certificate, "subjectaltname");
  const are = typeof names === "string" ? names.replaceAll(/DNS:|IP Address:/g, "") : "other names";
  return `the gateway's certificate is for ${are}, not for ${String(host)}`;
}

function said(message: string): string {
  return message === "" ? "" : ` (${oneLine(message)})`;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}
