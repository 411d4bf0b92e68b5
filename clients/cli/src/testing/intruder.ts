// Another user of this computer, who asks a port or a socket of `sallyport proxy` for what is not
// theirs: started by root with what to ask in INTRUDER (JSON), it becomes nobody first and prints
// what came back to each attempt.
import { connect } from "node:net";

/** The attempts, their number, and the secret if it leaked. */
export type Intrusion = {
  readonly port: number;
  readonly socket?: string;
  readonly way: "plain" | "half-closed" | "closed" | "pipelined" | "http2" | "http2-half-closed";
  readonly tries: number;
  readonly path: string;
  readonly body: string;
  readonly secret?: string;
};

const asked: unknown = JSON.parse(process.env["INTRUDER"] ?? "null");
if (asked !== null) {
  process.setgroups?.([]);
  process.setgid?.(65_534);
  process.setuid?.(65_534);
  const intrusion = asked as Intrusion; // Written by the test that started it.
  const answers: string[] = [];
  for (let count = 0; count < intrusion.tries; count += 1) answers.push(await attempt(intrusion));
  process.stdout.write(JSON.stringify({ uid: process.getuid?.(), answers }));
}

function attempt(intrusion: Intrusion): Promise<string> {
  const { port, socket, way } = intrusion;
  const target = socket === undefined ? { port, host: "127.0.0.1" } : { path: socket };
  const message = way.startsWith("http2") ? http2(intrusion) : http1(intrusion);
  return new Promise((resolve) => {
    let answer = "";
    const connection = connect({ ...target, allowHalfOpen: true }, () => {
      if (way === "plain" || way === "http2") connection.write(message);
      else connection.end(message, () => way === "closed" && connection.destroy());
    });
    connection.setTimeout(2_000, () => connection.destroy());
    connection.on("data", (chunk: Buffer) => {
      answer += chunk.toString("latin1");
      if (answer.includes("}")) connection.destroy();
    });
    connection.on("end", () => connection.destroy());
    connection.on("error", () => undefined);
    connection.on("close", () => resolve(answer));
  });
}

// Behind a pipelined request come some thousand others: whoever reads them notices late that the
// connection was closed.
function http1({ port, way, path, body, secret }: Intrusion): Buffer {
  const shown = secret === undefined ? "" : `sallyport-proxy-secret: ${secret}\r\n`;
  const host = `Host: 127.0.0.1:${port}\r\n`;
  const head = `POST ${path} HTTP/1.1\r\n${host}content-type: application/json\r\n${shown}`;
  const request = `${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  const more = way === "pipelined" ? `GET /x HTTP/1.1\r\n${host}\r\n`.repeat(4_000) : "";
  return Buffer.from(request + more);
}

function http2({ port, path, body, secret }: Intrusion): Buffer {
  const fields = [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", `127.0.0.1:${port}`],
    ["content-type", "application/json"],
    ...(secret === undefined ? [] : [["sallyport-proxy-secret", secret]]),
  ];
  const literal = ([name = "", value = ""]: readonly string[]): Buffer =>
    Buffer.concat([
      Buffer.from([0, name.length]),
      Buffer.from(name),
      Buffer.from([value.length]),
      Buffer.from(value),
    ]);
  return Buffer.concat([
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    frame(4, 0, 0, Buffer.alloc(0)),
    frame(1, 4, 1, Buffer.concat(fields.map(literal))),
    frame(0, 1, 1, Buffer.from(body)),
  ]);
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
