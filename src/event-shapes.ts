import { agentEventShapes } from './agents/domain/agent.events';
import { auditEventShapes } from './audit/domain/audit.events';
import { companyEventShapes } from './companies/domain/company.events';
import { externalKeyEventShapes } from './event-log/external-keys';
import { migrationEventShapes } from './event-log/migration';
import type { EventShapes } from './kernel/event-shape';
import { runEventShapes } from './runs/domain/run.events';
import { runLogEventShapes } from './runs/domain/run-log.events';

/** Of every event that this version of Reveille writes or can read. */
export const eventShapes: EventShapes = {
  ...agentEventShapes,
  ...companyEventShapes,
  ...runEventShapes,
  ...runLogEventShapes,
  ...auditEventShapes,
  ...externalKeyEventShapes,
  ...migrationEventShapes,
};
