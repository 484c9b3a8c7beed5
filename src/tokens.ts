/** Injection tokens of what the composition root chooses. */
export const CLOCK = Symbol('Clock');
export const CONFIG = Symbol('Config');
export const EVENT_LOG = Symbol('EventLog');
export const DOCUMENTS = Symbol('DocumentStore');
export const LOGGER = Symbol('Logger');
export const NODE_ID = Symbol('NodeId');
