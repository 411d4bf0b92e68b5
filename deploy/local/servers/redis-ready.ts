import { connect } from "node:net";
import type { RedisUser } from "./redis-config.ts";

/**
 * Returns whether the server on the socket accepts the user's login and has loaded its data;
 * answers within a second.
 */
export function isRedisReady(socketPath: string, { name, password }: RedisUser): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect(socketPath);
    let replies = "";
    const finish = (ready: boolean): void => {
      socket.destroy();
      settle(ready);
    };
    socket.setEncoding("utf8").setTimeout(1_000, () => finish(false));
    socket.on("error", () => finish(false)).on("close", () => finish(false));
    socket.on("connect", () => socket.write(command("AUTH", name, password) + command("PING")));
    socket.on("data", (text: string) => {
      replies += text;
      const [auth, ping] = replies.split("\r\n");
      // A user without PING gets NOPERM: that too is said by a server which has finished loading.
      if (replies.split("\r\n").length > 2)
        finish(auth === "+OK" && ping?.startsWith("-LOADING") === false);
    });
  });
}

function command(...words: readonly string[]): string {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return `*${words.length}\r\n${parts.join("")}`;
}
