/** Injection tokens of what the composition root chooses. */
export const CLOCK = Symbol('Clock');
export const EVENT_LOG = Symbol('EventLog');
/** In days, for companies that say nothing else; null: for ever. */
export const DEFAULT_LOG_RETENTION_DAYS = Symbol('DefaultLogRetentionDays');
export const NODE_ID = Symbol('NodeId');
