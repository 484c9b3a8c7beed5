import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** By connection, in the order of the requests: the answers that are still to come to their end, and the last one. */
const answersOf = new WeakMap<Socket, ServerResponse[]>();

/** Must be told of each request: what breaks after it on its connection must not break into its answer. */
export function noteAnswer({ socket }: IncomingMessage, response: ServerResponse): void {
  const known = answersOf.get(socket);
  const answers = known ?? [];
  if (!known) {
    answersOf.set(socket, answers);
    socket.once('close', () => answers.forEach(closeIfWaiting));
  }
  while (answers[0]?.closed) answers.shift();
  answers.push(response);
}

/** Those that are still to come to their end on a connection, and the last one, in the order of the requests. */
export function answersOn(socket: Socket): readonly ServerResponse[] {
  return [...(answersOf.get(socket) ?? [])];
}

/**
 * Node tells only the answer whose turn it is that the connection has gone: whoever makes one that waits for its turn
 * would go on for ever.
 */
function closeIfWaiting(answer: ServerResponse): void {
  if (answer.socket === null && !answer.writableFinished) answer.destroy().emit('close');
}
