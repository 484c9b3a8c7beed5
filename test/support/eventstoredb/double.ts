import type { sendUnaryData, ServerDuplexStream, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import * as serverFeatures from '@eventstore/db-client/generated/serverfeatures_grpc_pb';
import { SupportedMethod, SupportedMethods } from '@eventstore/db-client/generated/serverfeatures_pb';
import type { Empty } from '@eventstore/db-client/generated/shared_pb';
import * as streams from '@eventstore/db-client/generated/streams_grpc_pb';
import type { BatchAppendReq, BatchAppendResp } from '@eventstore/db-client/generated/streams_pb';
import { ReadReq, ReadResp } from '@eventstore/db-client/generated/streams_pb';
import { caughtUp, checkpoint, confirmation, eventAnswer, notFound, PendingAppends } from './double-messages';
import { RecordedLog } from './recorded-log';

/**
 * Speaks enough of EventStoreDB's protocol for the contract suite of the event log, in memory and over loopback, where
 * no real node is at hand. It shows that our side of the protocol is right, not how a node behaves when it fails.
 */
export interface EventstoredbDouble {
  url: string;
  port: number;
  /** Ends all subscriptions without an error, as a node does that shuts down in order. */
  endSubscriptions(): void;
  /** From now on it fails to say what it can do, as a node does that is just stopping. */
  failQuestions(): void;
  stop(): Promise<void>;
}

/** As on a real node: one more on the same connection hangs. */
const MAX_STREAMS = 100;

export async function startEventstoredbDouble(): Promise<EventstoredbDouble> {
  const log = new RecordedLog();
  const subscriptions = new Set<ReadCall>();
  const server = new Server({
    'grpc.max_receive_message_length': 32 * 1024 * 1024,
    'grpc.max_concurrent_streams': MAX_STREAMS,
  });
  let isMute = false;
  server.addService(serverFeatures.ServerFeaturesService, {
    getSupportedMethods: (...call: Parameters<typeof getSupportedMethods>) =>
      isMute ? call[1]({ code: status.INTERNAL, details: 'stopping' }) : getSupportedMethods(...call),
  });
  server.addService(streams.StreamsService, {
    read: (call: ReadCall) => void read(log, call, subscriptions),
    batchAppend: (call: AppendCall) => batchAppend(log, call),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    url: `esdb://127.0.0.1:${port}?tls=false`,
    port,
    endSubscriptions() {
      for (const call of subscriptions) call.end();
    },
    failQuestions: () => void (isMute = true),
    async stop() {
      log.close();
      server.forceShutdown();
    },
  };
}

type ReadCall = ServerWritableStream<ReadReq, ReadResp>;
type AppendCall = ServerDuplexStream<BatchAppendReq, BatchAppendResp>;

function getSupportedMethods(
  _call: ServerUnaryCall<Empty, SupportedMethods>,
  callback: sendUnaryData<SupportedMethods>,
): void {
  const batchAppends = new SupportedMethod();
  batchAppends.setServiceName('event_store.client.streams.Streams').setMethodName('BatchAppend');
  const supported = new SupportedMethods().setEventStoreServerVersion('24.6.0');
  supported.addMethods(batchAppends);
  callback(null, supported);
}

function batchAppend(log: RecordedLog, call: AppendCall): void {
  const pending = new PendingAppends(log);
  call.on('data', (request: BatchAppendReq) => {
    const answer = pending.take(request);
    if (answer) call.write(answer);
  });
  call.on('end', () => call.end());
  call.on('error', () => undefined);
}

async function read(log: RecordedLog, call: ReadCall, subscriptions: Set<ReadCall>): Promise<void> {
  const options = call.request.getOptions()!;
  call.on('error', () => undefined);
  if (options.hasSubscription()) {
    subscriptions.add(call);
    return follow(log, call, options).finally(() => subscriptions.delete(call));
  }
  const isBackwards = options.getReadDirection() === ReadReq.Options.ReadDirection.BACKWARDS;
  const count = Math.min(Number(options.getCount()), Number.MAX_SAFE_INTEGER);
  if (options.hasAll()) {
    const all = options.getAll()!;
    const position = all.getPosition();
    const from = position ? BigInt(position.getCommitPosition()) : all.hasStart() ? 'start' : 'end';
    for (const record of log.readAll({ from, isBackwards, count })) await send(call, eventAnswer(record));
    return call.end() as unknown as void;
  }
  const wanted = options.getStream()!;
  const stream = Buffer.from(wanted.getStreamIdentifier()!.getStreamName_asU8()).toString('utf8');
  const from = wanted.hasStart() ? 'start' : wanted.hasEnd() ? 'end' : Number(wanted.getRevision());
  const records = log.readStream(stream, { from, isBackwards, count });
  if (!records) await send(call, notFound(stream));
  for (const record of records ?? []) await send(call, eventAnswer(record));
  call.end();
}

/** A subscription to all streams: catches up, says so, goes on live; tells how far it has searched. */
async function follow(log: RecordedLog, call: ReadCall, options: ReadReq.Options): Promise<void> {
  const all = options.getAll()!;
  const position = all.getPosition();
  const after = position ? BigInt(position.getCommitPosition()) : -1n;
  // Where no event begins a real node reads what is none, and gives up.
  if (position && !log.isPosition(after)) {
    return void call.emit('error', { code: status.INTERNAL, details: `no event is at ${after}` });
  }
  const filter = options.getFilter();
  const regex = filter?.getStreamIdentifier()?.getRegex();
  const passes = regex ? new RegExp(regex) : /^/;
  const checkpointEvery = (filter?.getMax() ?? 32) * (filter?.getCheckpointintervalmultiplier() ?? 1);
  let wake = () => undefined as void;
  const stopListening = log.onAppended(() => wake());
  for (const event of ['cancelled', 'finish']) call.on(event, () => wake());
  await send(call, confirmation());
  let [next, sinceCheckpoint, isLive] = [log.indexAfter(after), 0, false];
  while (!call.cancelled && !call.destroyed && !call.writableEnded) {
    const appended = new Promise<void>((resolve) => (wake = resolve));
    const record = log.all[next];
    if (!record) {
      if (!isLive) await send(call, caughtUp());
      isLive = true;
      await appended;
      continue;
    }
    next += 1;
    if (passes.test(record.stream)) await send(call, eventAnswer(record));
    if (++sinceCheckpoint >= checkpointEvery) {
      sinceCheckpoint = 0;
      await send(call, checkpoint(record.position));
    }
  }
  stopListening();
  call.end();
}

async function send(call: ReadCall, answer: ReadResp): Promise<void> {
  if (call.cancelled || call.destroyed || call.writableEnded || call.write(answer)) return;
  const events = ['drain', 'cancelled', 'close', 'finish'];
  await new Promise<void>((resolve) => {
    const goOn = () => {
      for (const event of events) call.off(event, goOn);
      resolve();
    };
    for (const event of events) call.once(event, goOn);
  });
}
