import { type Socket, connect } from "node:net";
import { createSigner, newSeed } from "@sallyport/client";
import { expect, test } from "vitest";
import type { Ground } from "./ground.ts";
import { attackerAddress, openSession, send } from "./wire.ts";

const enrollPath = "/sallyport.identity.v1.EnrollmentService/Enroll";
const contentType = "application/json";
const mostOfOneAddress = 1024;

/** JSON that is slow to decode: a hundred thousand made-up fields. */
function junk(bytes: number): Buffer {
  const fields = Array.from({ length: bytes / 8 }, (_, at) => `"${at.toString(36)}":1`).join(",");
  return Buffer.from(`{${fields.slice(0, bytes - 2).replace(/,[^,]*$/, "")}}`);
}

async function openTcp(port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port, localAddress: attackerAddress });
  socket.on("error", () => undefined).resume();
  await new Promise<void>((resolve) => {
    for (const event of ["connect", "close"]) socket.once(event, () => resolve());
  });
  return socket;
}

/** What strangers can cost, who have no key that anybody knows. */
export function strangerTests(ground: () => Ground): void {
  test("Enroll by 300 made-up keys with 1 MiB of junk each, all refused for their size, unread", async () => {
    const { authority } = ground();
    const body = junk(1024 * 1024 - 1024);
    await ground().besieged(async () => {
      const session = openSession(ground());
      const ask = async () => {
        const target = { authority, path: enrollPath, contentType };
        const { headers } = createSigner(newSeed()).sign(target, body);
        const said = {
          "content-type": contentType,
          "content-length": String(body.length),
          ...headers,
        };
        const { status, text } = await send(
          session,
          enrollPath,
          { ...said, "connect-timeout-ms": "10" },
          body,
        );
        // 0: the stream was reset while the client was still sending.
        expect([0, 400]).toContain(status);
        if (status !== 0) expect(text).toContain("TOO_LARGE");
      };
      for (let round = 0; round < 15; round += 1)
        await Promise.all(Array.from({ length: 20 }, ask));
      session.destroy();
    });
  });

  test("1,200 connections from one address: it holds so many and no more", async () => {
    const port = ground().ports[0];
    await ground().besieged(async () => {
      const sockets: Socket[] = [];
      for (let round = 0; round < 24; round += 1)
        sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => openTcp(port)))));
      const open = () => sockets.filter(({ closed }) => !closed).length;
      await expect.poll(open, { timeout: 5000 }).toBeLessThanOrEqual(mostOfOneAddress);
      expect(open()).toBeGreaterThan(mostOfOneAddress / 2);
      for (const socket of sockets) socket.destroy();
    });
  });
}
