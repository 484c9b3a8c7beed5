import type { AgentEvent, RunFinished } from '../../agents/domain/agent.events';
import type { Saga, SagaCommand } from '../../processing/saga';
import type { RunEventData } from '../domain/run.events';
import { lifecycle } from '../domain/run.events';

/**
 * Gives every run its stream: the line that opens it once it is queued, and the line that closes it once it is
 * finished. What lies between is written by the node that runs it.
 */
export const executionSaga: Saga<Handled, ExecutionCommand> = {
  name: 'execution',
  handles: ['RunQueued', 'RunFinished'],
  react({ event, metadata }) {
    const { companyId, agentId, runId } = event.data;
    const line = {
      companyId,
      agentId,
      runId,
      eventType: 'lifecycle',
      stream: 'system',
      color: null,
    } as const;
    const base = { key: runId, companyId, runId, at: metadata.at };
    if (event.type === 'RunQueued') {
      const { invocationSource, triggerDetail, wakeupId, attempt, priority, coalesceKey } = event.data;
      const payload = { invocationSource, triggerDetail, wakeupId, attempt, priority, coalesceKey };
      return [
        {
          ...base,
          type: 'OpenRunStream',
          line: { ...line, level: 'info', message: lifecycle.queued, payload },
        },
      ];
    }
    const { status, errorCode, error, exitCode, signal } = event.data;
    const level =
      status === 'failed' || status === 'timed_out' ? 'error' : status === 'cancelled' ? 'warn' : 'info';
    const payload = { status, errorCode, error, exitCode, signal };
    return [
      {
        ...base,
        type: 'CloseRunStream',
        line: { ...line, level, message: closingLine(event.data), payload },
      },
    ];
  },
};

type Handled = Extract<AgentEvent, { type: 'RunQueued' | 'RunFinished' }>;

export interface ExecutionCommand extends SagaCommand {
  type: 'OpenRunStream' | 'CloseRunStream';
  companyId: string;
  runId: string;
  /** Of the event that it stands for: the line is as old as what it tells. */
  at: string;
  line: RunEventData<'lifecycle'>;
}

function closingLine({ status, errorCode }: RunFinished['data']): string {
  return errorCode === 'process_lost' ? lifecycle.processLost : lifecycle[status];
}
