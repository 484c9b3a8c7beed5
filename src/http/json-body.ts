import { isUtf8 } from 'node:buffer';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DomainError } from '../kernel/errors';
import { httpLimits } from './limits';

const JSON_TYPES = ['application/json', 'application/merge-patch+json'];
const BYTE_ORDER_MARK = /^\uFEFF/;

/**
 * JSON, under the names that it goes by. `curl -X POST -H 'Content-Type: application/json'` without a body is a request
 * with nothing to say, not a bad one. What the values are like is for `parse` to look at.
 */
export function acceptJsonOnly(app: NestFastifyApplication): void {
  const fastify = app.getHttpAdapter().getInstance();
  fastify.removeContentTypeParser('text/plain');
  for (const type of JSON_TYPES) {
    app.useBodyParser(type, { bodyLimit: httpLimits.bodyBytes }, ({ headers }, body, done) => {
      try {
        done(null, valueOf(body, headers['content-encoding']));
      } catch (error) {
        done(error as Error);
      }
    });
  }
}

/** @throws DomainError `bad_request`, `unsupported_media_type` */
function valueOf(body: Buffer, encoding = 'identity'): unknown {
  if (encoding !== 'identity') {
    throw new DomainError('unsupported_media_type', `Content-Encoding: ${encoding} is not taken`);
  }
  if (body.length === 0) return undefined;
  // Otherwise what cannot be read would silently become something else.
  if (!isUtf8(body)) throw new DomainError('bad_request', 'The body is not UTF-8', { field: '', issues: [] });
  try {
    return JSON.parse(body.toString('utf8').replace(BYTE_ORDER_MARK, ''));
  } catch {
    // Without what the parser says, which repeats a part of what may be a secret.
    throw new DomainError('bad_request', 'The body is not JSON', { field: '', issues: [] });
  }
}
