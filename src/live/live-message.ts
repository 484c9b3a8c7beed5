import type { Position } from '../kernel/event';
import type { Cursor } from './cursor';
import { formatCursor } from './cursor';
import type { LiveEvent, LiveEventType } from './live-events';

/** Whom a message concerns. */
export interface Concerns {
  companyId: string;
  agentId: string | null;
  runId: string | null;
}

/** One message of the live stream. Its text is made once, however many followers it is sent to. */
export class LiveMessage {
  readonly concerns: Concerns;
  readonly cursor: Cursor;
  readonly type: LiveEventType;
  private rendered: string | undefined;

  constructor(
    readonly event: LiveEvent,
    private readonly origin: { position: Position; companyId: string; at: string },
    part: number | null,
  ) {
    const { agentId, runId } = event.payload as { agentId?: string | null; runId?: string | null };
    this.concerns = { companyId: origin.companyId, agentId: agentId ?? null, runId: runId ?? null };
    this.cursor = { position: origin.position, part };
    this.type = event.type;
  }

  /** Something else in the same place. */
  replacedBy(event: LiveEvent): LiveMessage {
    return new LiveMessage(event, this.origin, this.cursor.part);
  }

  get json(): string {
    this.rendered ??= JSON.stringify(this);
    return this.rendered;
  }

  toJSON() {
    const { position, companyId, at } = this.origin;
    const { type, payload } = this.event;
    return { cursor: formatCursor(this.cursor), position: `${position}`, companyId, type, at, payload };
  }
}
