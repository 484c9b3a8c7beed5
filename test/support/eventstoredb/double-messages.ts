import { Any } from 'google-protobuf/google/protobuf/any_pb';
import * as shared from '@eventstore/db-client/generated/shared_pb';
import { Status } from '@eventstore/db-client/generated/status_pb';
import type { BatchAppendReq } from '@eventstore/db-client/generated/streams_pb';
import { BatchAppendResp, ReadResp } from '@eventstore/db-client/generated/streams_pb';
import type { AppendOutcome, DoubleEvent, DoubleRecord, RecordedLog } from './recorded-log';

/** The largest append that a node takes unless it was told otherwise. */
const MAX_APPEND_BYTES = 1024 * 1024;

/** Puts the parts of appends together, of which several may be on their way over one call. */
export class PendingAppends {
  private readonly parts = new Map<string, { options: BatchAppendReq.Options; events: DoubleEvent[] }>();

  constructor(private readonly log: RecordedLog) {}

  /** The answer, once the last part has come. */
  take(request: BatchAppendReq): BatchAppendResp | null {
    const id = request.getCorrelationId()!;
    const key = id.getString() || JSON.stringify(id.toObject());
    const options = request.getOptions();
    const pending = this.parts.get(key) ?? { options: options!, events: [] };
    this.parts.set(key, pending);
    pending.events.push(...request.getProposedMessagesList().map(eventOf));
    if (!request.getIsFinal()) return null;
    this.parts.delete(key);
    const stream = Buffer.from(pending.options.getStreamIdentifier()!.getStreamName_asU8()).toString('utf8');
    const answer = new BatchAppendResp();
    answer.setCorrelationId(id);
    answer.setStreamIdentifier(pending.options.getStreamIdentifier());
    const size = pending.events.reduce((sum, { data, metadata }) => sum + data.length + metadata.length, 0);
    if (size > MAX_APPEND_BYTES) return answer.setError(tooLarge());
    const expected = expectedOf(pending.options);
    const outcome = this.log.append(stream, pending.events, expected);
    return outcome.kind === 'written'
      ? answer.setSuccess(success(outcome))
      : answer.setError(wrongVersion(outcome.current, expected));
  }
}

export function eventAnswer(record: DoubleRecord): ReadResp {
  const recorded = new ReadResp.ReadEvent.RecordedEvent();
  recorded.setId(new shared.UUID().setString(record.id));
  recorded.setStreamIdentifier(identifier(record.stream));
  recorded.setStreamRevision(`${record.revision}`);
  recorded.setCommitPosition(`${record.position}`);
  recorded.setPreparePosition(`${record.position}`);
  recorded.setData(record.data);
  recorded.setCustomMetadata(record.metadata);
  const fields = recorded.getMetadataMap();
  fields.set('type', record.type);
  fields.set('content-type', record.contentType);
  fields.set('created', `${BigInt(record.createdMs) * 10_000n}`);
  const event = new ReadResp.ReadEvent().setEvent(recorded).setCommitPosition(`${record.position}`);
  return new ReadResp().setEvent(event);
}

export function notFound(stream: string): ReadResp {
  const missing = new ReadResp.StreamNotFound().setStreamIdentifier(identifier(stream));
  return new ReadResp().setStreamNotFound(missing);
}

export function confirmation(): ReadResp {
  return new ReadResp().setConfirmation(
    new ReadResp.SubscriptionConfirmation().setSubscriptionId('00000000-0000-4000-8000-000000000000'),
  );
}

export function caughtUp(): ReadResp {
  return new ReadResp().setCaughtUp(new ReadResp.CaughtUp());
}

export function checkpoint(position: bigint): ReadResp {
  const reached = new ReadResp.Checkpoint();
  reached.setCommitPosition(`${position}`).setPreparePosition(`${position}`);
  return new ReadResp().setCheckpoint(reached);
}

function eventOf(message: BatchAppendReq.ProposedMessage): DoubleEvent {
  const fields = message.getMetadataMap();
  return {
    id: message.getId()!.getString(),
    type: fields.get('type') ?? '',
    contentType: fields.get('content-type') ?? '',
    data: message.getData_asU8(),
    metadata: message.getCustomMetadata_asU8(),
  };
}

function expectedOf(options: BatchAppendReq.Options): number | null | undefined {
  if (options.hasNoStream()) return null;
  return options.hasStreamPosition() ? Number(options.getStreamPosition()) : undefined;
}

function success({
  revision,
  position,
}: Extract<AppendOutcome, { kind: 'written' }>): BatchAppendResp.Success {
  const place = new shared.AllStreamPosition();
  place.setCommitPosition(`${position}`).setPreparePosition(`${position}`);
  return new BatchAppendResp.Success().setCurrentRevision(`${revision}`).setPosition(place);
}

function wrongVersion(current: number | null, expected: number | null | undefined): Status {
  const detail = new shared.WrongExpectedVersion();
  if (current === null) detail.setCurrentNoStream(new shared.Empty());
  else detail.setCurrentStreamRevision(`${current}`);
  if (expected === null) detail.setExpectedNoStream(new shared.Empty());
  else if (expected !== undefined) detail.setExpectedStreamPosition(`${expected}`);
  return failed('WrongExpectedVersion', detail.serializeBinary());
}

function tooLarge(): Status {
  const detail = new shared.MaximumAppendSizeExceeded().setMaxappendsize(MAX_APPEND_BYTES);
  return failed('MaximumAppendSizeExceeded', detail.serializeBinary());
}

function failed(type: string, detail: Uint8Array): Status {
  const any = new Any();
  any.pack(detail, `event_store.client.${type}`);
  return new Status().setMessage(type).setDetails(any);
}

function identifier(stream: string): shared.StreamIdentifier {
  return new shared.StreamIdentifier().setStreamName(Buffer.from(stream).toString('base64'));
}
