import type { AnsweredTurn, ProviderProtocol } from './provider-turn';
import { namedEvents } from './provider-turn';

/** https://platform.openai.com/docs/api-reference/responses */
export const openaiResponses: ProviderProtocol = {
  matches: (path) => path === '/v1/responses' || path === '/responses',
  modelOf: (_path, body) => String(body['model']),
  wantsStream: (_path, body) => body['stream'] === true,
  stream(turn, model, id) {
    const items = itemsOf(turn, id);
    const begun = { ...response(turn, model, id), status: 'in_progress', output: [], usage: null };
    const { text } = turn;
    const delta = text === undefined ? [] : [textDelta(text, id)];
    return {
      beginning: namedEvents([
        { type: 'response.created', ...{ response: begun } },
        ...(text === undefined ? [] : [itemEvent('added', { ...items[0]!, content: [] }, 0)]),
        ...delta,
      ]),
      rest: namedEvents([
        ...items.map((item, index) => itemEvent('done', item, index)),
        { type: 'response.completed', ...{ response: response(turn, model, id) } },
      ]),
    };
  },
  whole: (turn, model, id) => response(turn, model, id),
  refusal: ({ status, message }) => ({
    error: { type: status === 429 ? 'rate_limit_exceeded' : 'invalid_request_error', code: null, message },
  }),
};

function response(turn: AnsweredTurn, model: string, id: string) {
  const { inputTokens, outputTokens, cachedInputTokens = 0 } = turn.usage;
  return {
    ...{ id: `resp_${id}`, object: 'response', status: 'completed', model, output: itemsOf(turn, id) },
    usage: {
      input_tokens: inputTokens + cachedInputTokens,
      input_tokens_details: { cached_tokens: cachedInputTokens },
      output_tokens: outputTokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: inputTokens + cachedInputTokens + outputTokens,
    },
  };
}

function itemsOf({ text, tool }: AnsweredTurn, id: string): { type: string }[] {
  const content = [{ type: 'output_text', text: text ?? '', annotations: [] }];
  const said = { type: 'message', ...{ id: `msg_${id}`, role: 'assistant', status: 'completed', content } };
  if (!tool) return [said];
  const args = JSON.stringify(tool.input);
  const call = {
    type: 'function_call',
    ...{ id: `fc_${id}`, call_id: `call_${id}`, name: tool.name, arguments: args, status: 'completed' },
  };
  return text === undefined ? [call] : [said, call];
}

function itemEvent(what: 'added' | 'done', item: object, output_index: number): { type: string } {
  return { type: `response.output_item.${what}`, ...{ output_index, item } };
}

function textDelta(delta: string, id: string): { type: string } {
  return {
    type: 'response.output_text.delta',
    ...{ item_id: `msg_${id}`, output_index: 0, content_index: 0, delta },
  };
}
