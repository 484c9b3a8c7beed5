import { answer, routeTable } from '../http/route';
import { feedHeaders, feedQuery, livePageSchema } from './live.schemas';

export const liveRoutes = routeTable('Live', {
  listLiveMessages: {
    method: 'GET',
    path: '/v1/companies/:companyId/events',
    access: 'viewer',
    agents: 'company',
    summary: 'What happens in a company',
    description:
      'With `Accept: text/event-stream` as it happens, from `Last-Event-ID` or `after` on, else from now on; otherwise as pages, from the beginning or `after` on.',
    query: feedQuery,
    headers: feedHeaders,
    answers: {
      200: answer(livePageSchema, 'A page of messages', {
        'text/event-stream': 'Messages for as long as the client stays: `id` is the cursor, `event` the type',
      }),
    },
    errors: [
      'company_not_found',
      'agent_not_found',
      'run_not_found',
      'position_past_head',
      'position_gone',
      'too_many_streams',
    ],
  },
});
