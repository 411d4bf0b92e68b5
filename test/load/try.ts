import { startGround } from "./ground.ts";
import { overload } from "./overload.ts";
await using ground = await startGround(64);
for (let n = 0; n < 2; n += 1) console.dir(await overload(ground, 5), { depth: 4 });
