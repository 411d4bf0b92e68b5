import { secretHeader } from "./secret.ts";

const service = "sallyport.identity.v1.UserService";
const json = "-H 'content-type: application/json' -d '{}'";
const schema =
  "-import-path proto -import-path proto/third_party -proto sallyport/identity/v1/user.proto";

/**
 * The ways to the proxy: its address without a secret, and its socket, or the file of its
 * port's header.
 */
export type ToolAddress = {
  readonly url: string;
  readonly socket: string | null;
  readonly headerFile: string | null;
};

/**
 * Commands for curl, buf curl and grpcurl, in a clone of the repository. The secret of a port
 * stands in none of it: what a program is started with can be seen by every user of the computer.
 */
export function recipes({ url, socket, headerFile }: ToolAddress): string[] {
  const target = `${url}/${service}/WhoAmI`;
  if (socket !== null) {
    const path = quoted(socket);
    return [
      `curl --unix-socket ${path} ${json} ${target}`,
      `buf curl --schema proto --unix-socket ${path} -d '{}' ${target}`,
      `grpcurl -plaintext -unix -authority localhost ${schema} ${path} ${service}/WhoAmI`,
    ];
  }
  const file = quoted(headerFile ?? "");
  const header = `-expand-headers -H '${secretHeader}: \${SALLYPORT_PROXY_SECRET}'`;
  return [
    `curl -H @${file} ${json} ${target}`,
    `buf curl --schema proto -H @${file} -d '{}' ${target}`,
    `export SALLYPORT_PROXY_SECRET=$(cut -d' ' -f2 ${file})`,
    `grpcurl -plaintext ${header} ${schema} ${new URL(url).host} ${service}/WhoAmI`,
  ];
}

function quoted(text: string): string {
  if (/^[\w./:@%+,-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
