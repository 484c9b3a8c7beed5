import type { InvocationContext } from '../adapter';
import { fillFromContext } from '../context-template';

/**
 * What a coding agent is told. Without a template that is the `prompt` of the context or of the first payload; where
 * there is none, what is known of the wakeup.
 */
export function promptOf(template: string | undefined, { context }: InvocationContext): string {
  if (template !== undefined) return fillFromContext(template, context);
  const payload = firstPayload(context);
  return textOf(context['prompt']) ?? textOf(payload?.['prompt']) ?? describe(context, payload);
}

function describe(context: InvocationContext['context'], payload: Record<string, unknown> | null): string {
  const facts = [
    ['Reason', textOf(context['wakeReason'])],
    ['Source', textOf(context['wakeSource'])],
    ['Task', textOf(context['taskId']) ?? textOf(context['issueId'])],
    ['Details', payload && JSON.stringify(payload, null, 2)],
  ].flatMap(([name, value]) => (value ? [`${name}: ${value}`] : []));
  return [
    'You have been woken to do your work.',
    ...facts,
    'All that is known of this wakeup is in the JSON file whose path is in the variable REVEILLE_CONTEXT_FILE.',
    'Nobody can answer questions while you work: do what is asked as far as you can, then say what you did.',
  ].join('\n');
}

function firstPayload(context: InvocationContext['context']): Record<string, unknown> | null {
  const { wakeups } = context;
  const [first] = Array.isArray(wakeups) ? (wakeups as { payload?: unknown }[]) : [];
  const payload = first?.payload;
  return typeof payload === 'object' && payload !== null ? (payload as Record<string, unknown>) : null;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value.trim() !== '' ? value : null;
}
