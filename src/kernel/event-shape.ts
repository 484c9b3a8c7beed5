import type { DomainEvent } from './event';

/** How the data of one type of event is formed. */
export interface EventShape {
  /** Of the data as it is written now: 1 at first, one more with every change that an older reader would misread. */
  version: number;
  /** By version n: what makes data of version n into data of version n + 1. One for every version before the current. */
  upcasters?: Readonly<Record<number, (data: unknown) => unknown>>;
}

/** By type. */
export type EventShapes<Type extends string = string> = Readonly<Record<Type, EventShape>>;

/** The shapes of all events of one union: a type that is missing does not compile. */
export type ShapesOf<E extends DomainEvent> = EventShapes<E['type']>;

/** Of an event whose data has never changed its form. */
export const FIRST_SHAPE: EventShape = { version: 1 };

/**
 * Data of an older version in the form of today.
 *
 * @throws Error where the shape has no way from that version
 */
export function upcast(
  data: unknown,
  version: number,
  { version: current, upcasters = {} }: EventShape,
): unknown {
  let [upcasted, at] = [data, version];
  for (; at < current; at++) {
    const step = upcasters[at];
    if (!step) throw new Error(`nothing makes version ${at} into version ${at + 1}`);
    upcasted = step(upcasted);
  }
  return upcasted;
}
