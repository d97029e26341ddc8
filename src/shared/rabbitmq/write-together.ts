/**
 * Has the frames that amqplib writes in one turn of the event loop sent by one system call: by itself it makes one for every acknowledgement and
 * every publish, which was half of a busy worker's time. Only the way to the kernel changes: order, backpressure and errors are the socket's own.
 */
import type { Socket } from 'node:net';
import type { ChannelModel } from 'amqplib';

/** Does nothing where amqplib keeps its socket elsewhere. */
export function writeTogether(model: ChannelModel): void {
  const socket = (model.connection as unknown as { stream?: Socket }).stream;
  if (socket === undefined) return;
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  let isCorked = false;
  const uncork = () => {
    isCorked = false;
    socket.uncork();
  };
  socket.write = (...args: unknown[]) => {
    if (!isCorked) {
      isCorked = true;
      socket.cork();
      process.nextTick(uncork);
    }
    return write(...args);
  };
}
