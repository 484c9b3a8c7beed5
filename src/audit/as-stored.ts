import type { EventLog } from '../event-log/event-log';

/** The log as it is stored, for whoever doubts it: a store may answer others from what it remembers. */
export function asStored(log: EventLog): EventLog {
  return {
    append: (...args) => log.append(...args),
    head: () => log.head(),
    setMaxAge: (...args) => log.setMaxAge(...args),
    close: () => log.close(),
    read: (stream, options) => log.read(stream, { ...options, asStored: true }),
    follow: (options) => log.follow({ ...options, asStored: true }),
  };
}
