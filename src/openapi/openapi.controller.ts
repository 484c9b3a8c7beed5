import { Controller, Inject, Res, StreamableFile } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Handles } from '../http/handles';
import { docsPage, docsPolicy } from './docs-page';
import type { OpenApiDocument } from './openapi-document';
import { openApiRoutes as routes } from './openapi.routes';

/** Makes document and page when they are first asked for: it takes a moment, and most servers are never asked. */
export class OpenApi {
  private made: OpenApiDocument | null = null;
  private madePage: Buffer | null = null;

  constructor(private readonly make: () => OpenApiDocument) {}

  get document(): OpenApiDocument {
    return (this.made ??= this.make());
  }

  get page(): Buffer {
    return (this.madePage ??= Buffer.from(docsPage(this.document)));
  }
}

@Controller()
export class OpenApiController {
  constructor(@Inject(OpenApi) private readonly openApi: OpenApi) {}

  @Handles(routes.getOpenApi)
  json() {
    return { ...this.openApi.document };
  }

  @Handles(routes.getDocs)
  page(@Res({ passthrough: true }) reply: FastifyReply) {
    void reply.header('Content-Security-Policy', docsPolicy);
    return new StreamableFile(this.openApi.page, { type: 'text/html; charset=utf-8' });
  }
}
