import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type AppendService,
  AppendResponseSchema,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { peerOf } from "@sallyport/rpc";
import { acceptEvent } from "../accept.ts";
import type { Writer } from "../writer.ts";

/**
 * Makes AppendService over the writer. One event that is not acceptable refuses the whole call, before any is written.
 */
export function appendService(writer: Pick<Writer, "append">): ServiceImpl<typeof AppendService> {
  return {
    async append({ events }, context) {
      const peer = peerOf(context);
      const accepted = events.map((event) => acceptEvent(event, peer));
      return create(AppendResponseSchema, { results: [...(await writer.append(accepted))] });
    },
  };
}
