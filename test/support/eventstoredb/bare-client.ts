import type { EventData, JSONType } from '@eventstore/db-client';
import { EventStoreDBClient, jsonEvent, NO_STREAM } from '@eventstore/db-client';
import type { EventToAppend } from '../../../src/kernel/event';

/** The client as its users use it, with nothing of ours around it: what the port is measured against. */
export class BareClient {
  private readonly client: EventStoreDBClient;

  constructor(url: string) {
    this.client = EventStoreDBClient.connectionString(url);
  }

  /** The same events, byte for byte, as the client wants them: nothing is left to do when time is taken. */
  prepare(events: readonly EventToAppend[]): EventData[] {
    return events.map(({ id, type, data, metadata: { correlationId, causationId, actor, ...rest } }) =>
      jsonEvent({
        ...{ id, type, data: JSON.parse(data as string) as JSONType },
        metadata: {
          ...rest,
          actor: { ...actor },
          $correlationId: correlationId,
          $causationId: causationId as string,
        },
      }),
    );
  }

  /** To a stream that does not exist yet. */
  async append(stream: string, events: EventData[]): Promise<void> {
    await this.client.appendToStream(stream, events, { expectedRevision: NO_STREAM });
  }

  close(): Promise<void> {
    return this.client.dispose();
  }
}
