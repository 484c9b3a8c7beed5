import type { Clock } from '../kernel/clock';
import { CHAIN_START } from '../kernel/chain';
import { sha256Hex } from '../kernel/canonical-json';
import type { Cause } from '../kernel/cause';
import { correlationOf } from '../kernel/cause';
import { NO_STREAM, decode } from '../kernel/event';
import type { DomainEvent } from '../kernel/event';
import type { ShapesOf } from '../kernel/event-shape';
import { FIRST_SHAPE } from '../kernel/event-shape';
import { derivedUuid, uuidv7 } from '../kernel/ids';
import { keyStream } from '../kernel/streams';
import { appendSurely } from './append-surely';
import type { EventLog } from './event-log';
import { RevisionConflict } from './event-log';
import { seal } from './seal';

type ExternalKeyReserved = DomainEvent<
  'ExternalKeyReserved',
  { scope: string; externalKey: string; id: string }
>;

export const externalKeyEventShapes: ShapesOf<ExternalKeyReserved> = { ExternalKeyReserved: FIRST_SHAPE };

/** For companies, whose keys are unique among all of them. */
export const ALL_COMPANIES = '-';

/**
 * A client's own names for things. Each key has a stream of one event, and whoever wrote it has the key: so one name
 * never stands for two things, on however many nodes it is registered at once.
 */
export class ExternalKeys {
  constructor(
    private readonly log: EventLog,
    private readonly clock: Clock,
    private readonly nodeId: string,
  ) {}

  /** Reserves the key for `id`, and answers the id that has it: this one, or one that came before. */
  async reserve(scope: string, externalKey: string, id: string, cause: Cause): Promise<string> {
    const stream = keyStream(scope, sha256Hex(externalKey));
    const owner = await this.owner(stream);
    if (owner) return owner;
    const commandId = uuidv7();
    const metadata = {
      schemaVersion: externalKeyEventShapes.ExternalKeyReserved.version,
      at: this.clock.now().toISOString(),
      companyId: scope === ALL_COMPANIES ? id : scope,
      correlationId: correlationOf(cause) ?? commandId,
      causationId: null,
      commandId,
      actor: cause.actor,
      nodeId: this.nodeId,
    };
    const reserved = {
      id: derivedUuid(stream, id),
      type: 'ExternalKeyReserved',
      data: { scope, externalKey, id },
      metadata,
    };
    try {
      await appendSurely(this.log, stream, seal([reserved], CHAIN_START), NO_STREAM);
      return id;
    } catch (error) {
      if (!(error instanceof RevisionConflict)) throw error;
      const winner = await this.owner(stream);
      if (!winner) throw error;
      return winner;
    }
  }

  private async owner(stream: string): Promise<string | null> {
    for await (const stored of this.log.read(stream, { limit: 1 })) {
      return decode<ExternalKeyReserved>(stored).event.data.id;
    }
    return null;
  }
}
