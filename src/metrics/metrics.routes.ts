import { content, routeTable } from '../http/route';

export const metricsRoutes = routeTable('Operations', {
  getMetrics: {
    method: 'GET',
    path: '/metrics',
    access: 'server',
    summary: 'Numbers about this node, for Prometheus',
    answers: {
      200: content(
        { 'text/plain; version=0.0.4; charset=utf-8': 'The text format of Prometheus' },
        'All of them',
      ),
    },
  },
});
