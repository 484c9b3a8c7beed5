import { MessageChannel } from 'node:worker_threads';
import { serveWriter } from '../../sqlite/serve-writer';
import { chunkBuffers } from './event-encoding';
import { EventWriter } from './event-writer';
import type { WriteRequest } from './store-messages';

/** Nobody is at its other end: what is handed over to it is freed at once. */
const { port1: nowhere, port2 } = new MessageChannel();
port2.close();

/** Log bytes that are written would wait here for a collector that comes when there are some 60 MB of them. */
serveWriter((folder) => {
  const writer = EventWriter.open(folder);
  return {
    get state() {
      return writer.state;
    },
    write(requests: readonly WriteRequest[]) {
      const outcomes = writer.write(requests);
      const buffers = requests.flatMap(chunkBuffers);
      if (buffers.length > 0) nowhere.postMessage(null, buffers);
      return outcomes;
    },
    close: () => writer.close(),
  };
});
