import type { AnsweredTurn, ProviderProtocol } from './provider-turn';
import { namedEvents } from './provider-turn';

/** https://docs.claude.com/en/api/messages */
export const anthropicMessages: ProviderProtocol = {
  matches: (path) => path === '/v1/messages',
  modelOf: (_path, body) => String(body['model']),
  wantsStream: (_path, body) => body['stream'] === true,
  stream(turn, model, id) {
    const blocks = blocksOf(turn, id);
    const begun = { ...message(turn, model, id), content: [], stop_reason: null };
    const started = { ...begun, usage: { ...usageOf(turn), output_tokens: 1 } };
    const [first, ...others] = blocks.map(blockEvents);
    const stop_reason = turn.tool ? 'tool_use' : 'end_turn';
    return {
      beginning: namedEvents([{ type: 'message_start', ...{ message: started } }, ...first!.slice(0, 2)]),
      rest: namedEvents([
        ...first!.slice(2),
        ...others.flat(),
        { type: 'message_delta', ...{ delta: { stop_reason, stop_sequence: null }, usage: usageOf(turn) } },
        { type: 'message_stop' },
      ]),
    };
  },
  whole: (turn, model, id) => ({ ...message(turn, model, id), content: blocksOf(turn, id) }),
  refusal: ({ status, message: text }) => ({
    type: 'error',
    error: { type: status === 429 ? 'rate_limit_error' : 'api_error', message: text },
  }),
};

function message(turn: AnsweredTurn, model: string, id: string) {
  return {
    ...{ id: `msg_${id}`, type: 'message', role: 'assistant', model, stop_sequence: null },
    stop_reason: turn.tool ? 'tool_use' : 'end_turn',
    usage: usageOf(turn),
  };
}

function usageOf({ usage }: AnsweredTurn) {
  return {
    input_tokens: usage.inputTokens,
    cache_creation_input_tokens: usage.cacheWriteTokens ?? 0,
    cache_read_input_tokens: usage.cachedInputTokens ?? 0,
    output_tokens: usage.outputTokens,
  };
}

type Block = { type: 'text'; text: string } | { type: 'tool_use'; id: string; name: string; input: object };

function blocksOf({ text, tool }: AnsweredTurn, id: string): Block[] {
  const blocks: Block[] = [];
  if (text !== undefined || !tool) blocks.push({ type: 'text', text: text ?? '' });
  if (tool) blocks.push({ type: 'tool_use', id: `toolu_${id}`, ...tool });
  return blocks;
}

function blockEvents(block: Block, index: number): { type: string }[] {
  const empty = block.type === 'text' ? { ...block, text: '' } : { ...block, input: {} };
  const deltas =
    block.type === 'text'
      ? halves(block.text).map((text) => ({ type: 'text_delta', text }))
      : halves(JSON.stringify(block.input)).map((partial_json) => ({
          type: 'input_json_delta',
          partial_json,
        }));
  return [
    { type: 'content_block_start', ...{ index, content_block: empty } },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', ...{ index } },
  ];
}

function halves(text: string): string[] {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)];
}
