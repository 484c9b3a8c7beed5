import { z } from 'zod';
import { count, id, position, timestamp } from '../http/schemas';
import { agentSchema, runtimeStateSchema } from '../agents/agent.view';
import { costsSchema } from '../costs/costs.routes';
import { runSchema } from '../runs/run.view';
import type { FindingKind } from './domain/finding';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const kinds: Readonly<Record<FindingKind, true>> = {
  changed: true,
  swapped: true,
  removed: true,
  cut_off: true,
  stream_removed: true,
  rewritten: true,
  metadata_changed: true,
  out_of_order: true,
  checkpoint: true,
};

export const findingSchema = z
  .object({
    kind: z
      .enum(Object.keys(kinds) as FindingKind[])
      .describe('What is wrong; `docs/audit.md` says how each is found'),
    stream: z.string(),
    revision: count,
    toRevision: count.describe('The last one of several'),
    eventId: z.string().nullable().describe('null where the event is gone, or it is about several'),
    position: position.nullable().describe('null where it is gone'),
    checkpoint: count.nullable().describe('The checkpoint that says so; null: the chain of the stream does'),
    expected: z.string().nullable(),
    found: z.string().nullable(),
    message: z.string().describe('All of it in one line'),
  })
  .meta({ id: 'AuditFinding', description: 'Something that is not as it was written' });

export const checkpointPlace = z.object({
  number: count,
  sha256: sha256.describe('Of its statement: whoever keeps it can tell a log that was signed anew'),
});

export const verificationSchema = z
  .object({
    ok: z.boolean(),
    position: position.describe('Up to where the log was looked at'),
    head: position,
    events: count,
    findings: count,
    checkpoints: z.object({ count, last: checkpointPlace.nullable() }),
    uncovered: count.describe('Events behind the last checkpoint: only their chains protect them'),
    agedOut: z
      .object({ logs: count, events: count, bytes: count.describe('Of what agents wrote') })
      .describe('What is gone because companies have not wanted it to be kept longer'),
    named: z.array(findingSchema).describe('The first 1,000'),
  })
  .meta({ id: 'AuditVerification', description: 'Whether the log is what was written' });

export const publicKeySchema = z
  .object({
    keyId: z.string().describe('The beginning of the SHA-256 of the key'),
    publicKey: z.string().describe('Ed25519, SPKI in PEM'),
    nodeId: id.describe('The node that has the private key'),
    since: timestamp,
  })
  .meta({ id: 'AuditPublicKey' });

export const keysSchema = publicKeySchema
  .extend({ others: z.array(publicKeySchema).describe('Of other nodes, and of earlier ones') })
  .meta({
    id: 'AuditKeys',
    description: 'With what checkpoints are signed: keep it where nobody can change it',
  });

export const asOfSchema = z
  .object({
    position: position.describe('Of the last event that is in it'),
    at: timestamp.describe('Of the same event'),
    agent: agentSchema.nullable(),
    runtimeState: runtimeStateSchema.nullable(),
    run: runSchema.nullable(),
    spend: costsSchema.nullable(),
  })
  .meta({
    id: 'StateAsOf',
    description: 'What `GET` answered then, of what was asked about; the others are null',
  });

const roles = ['cause', 'request', 'decision', 'run', 'process', 'usage', 'output', 'consequence'] as const;

export const whySchema = z
  .object({
    companyId: id,
    agentId: id,
    runId: id.nullable(),
    wakeupId: id.nullable(),
    steps: z
      .array(
        z
          .object({
            role: z.enum(roles),
            eventId: id,
            type: z.string(),
            stream: z.string(),
            revision: count,
            position,
            at: timestamp,
            causationId: z.string().nullable().describe('The event, or command, that caused it'),
            correlationId: z.string().describe('The command that began it all'),
            runId: id.nullable(),
            wakeupId: id.nullable(),
            text: z.string().describe('In one line'),
          })
          .meta({ id: 'WhyStep' }),
      )
      .describe('In the order of the log'),
  })
  .meta({ id: 'Why', description: 'What led to a run or a wakeup, what was decided, and what came of it' });
