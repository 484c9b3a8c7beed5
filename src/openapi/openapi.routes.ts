import { answer, content, routeTable } from '../http/route';
import { jsonObject } from '../http/schemas';

export const openApiRoutes = routeTable('Operations', {
  getOpenApi: {
    method: 'GET',
    path: '/openapi.json',
    access: 'open',
    summary: 'This document',
    answers: { 200: answer(jsonObject, 'OpenAPI 3.1') },
  },
  getDocs: {
    method: 'GET',
    path: '/docs',
    access: 'open',
    summary: 'This document, for people',
    answers: { 200: content({ 'text/html; charset=utf-8': 'A page that asks no other host' }, 'The page') },
  },
});
