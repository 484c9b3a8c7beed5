/** Injection tokens of what the composition root chooses. */
export const CLOCK = Symbol('Clock');
export const EVENT_LOG = Symbol('EventLog');
export const NODE_ID = Symbol('NodeId');
