// A process of its own: `node -r typescript-hook.cjs appending-client.ts URL COUNT BYTES`. Follows the log, says `ready`,
// and at a word on its standard input appends COUNT events of BYTES at once, each to a stream of its own. Says `sent` and
// what became of them, closes the log, and has then nothing more to do: whether it ends by itself, and with what, is for
// others to see.
import { once } from 'node:events';
import { appendSurely } from '../../../src/event-log/append-surely';
import { EventstoredbEventLog } from '../../../src/event-log/eventstoredb/eventstoredb-event-log';
import { NO_STREAM } from '../../../src/kernel/event';
import { uuidv7 } from '../../../src/kernel/ids';
import { agentStream } from '../../../src/kernel/streams';
import { someEvent } from '../events';

async function main([url, count, bytes]: string[]): Promise<void> {
  const log = await EventstoredbEventLog.open(url!);
  const stop = new AbortController();
  void (async () => {
    for await (const _batch of log.follow({ after: await log.head(), signal: stop.signal }));
  })().catch(() => undefined);
  // Opens the stream for appends, too.
  await log.append(agentStream(uuidv7(), uuidv7()), [someEvent()], NO_STREAM);
  process.stdout.write('ready\n');
  await once(process.stdin, 'data');
  process.stdin.destroy();
  const data = JSON.stringify('x'.repeat(Number(bytes)));
  const appends = Array.from({ length: Number(count) }, () =>
    appendSurely(log, agentStream(uuidv7(), uuidv7()), [someEvent({ data })], NO_STREAM, 60_000),
  );
  process.stdout.write('sent\n');
  const outcomes = await Promise.allSettled(appends);
  const written = outcomes.filter(({ status }) => status === 'fulfilled').length;
  process.stdout.write(`written ${written}\n`);
  await log.close();
}

void main(process.argv.slice(2));
