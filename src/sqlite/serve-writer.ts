import type { MessagePort } from 'node:worker_threads';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { FromThread, ThreadData, ToThread, Writer } from './writer';

/** So that a commit, for which all others wait, stays short. */
const MAX_GROUP_SIZE = 2_000;

/** The whole program of a thread that writes: opens, writes group after group, and leaves when it is told to. */
export function serveWriter<Request, Outcome, State>(
  open: (folder: string) => Writer<Request, Outcome, State>,
): void {
  const port = parentPort!;
  const tell = (message: FromThread<Outcome, State>) => port.postMessage(message);
  let writer: Writer<Request, Outcome, State>;
  try {
    writer = open((workerData as ThreadData).folder);
  } catch (error) {
    tell({ kind: 'refused', error });
    return;
  }
  port.on('message', (first: ToThread<Request>) => {
    const { groups, isToClose } = allThatWaits(port, first);
    if (groups.length > 0) tell(written(writer, groups));
    if (!isToClose) return;
    writer.close();
    port.close();
  });
  tell({ kind: 'opened', state: writer.state });
}

/** What came while the last group was being written goes into one. */
function allThatWaits<Request>(port: MessagePort, first: ToThread<Request>) {
  const groups: (readonly Request[])[] = [];
  let count = 0;
  for (let message: ToThread<Request> | undefined = first; message; message = nextOf(port)) {
    if (message.kind === 'close') return { groups, isToClose: true };
    groups.push(message.requests);
    count += message.requests.length;
    if (count >= MAX_GROUP_SIZE) break;
  }
  return { groups, isToClose: false };
}

function nextOf<Request>(port: MessagePort): ToThread<Request> | undefined {
  const received: { message?: unknown } | undefined = receiveMessageOnPort(port);
  return received?.message as ToThread<Request> | undefined;
}

function written<Request, Outcome, State>(
  writer: Writer<Request, Outcome, State>,
  groups: readonly (readonly Request[])[],
): FromThread<Outcome, State> {
  const outcomes = writer.write(groups.flat());
  let from = 0;
  const answers = groups.map(({ length }) => outcomes.slice(from, (from += length)));
  return { kind: 'written', groups: answers, state: writer.state };
}
