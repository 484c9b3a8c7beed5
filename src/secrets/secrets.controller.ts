import { Body, Controller, Get, Param, Put, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { z } from 'zod';
import { limitSchema, parse, parseWaitFor } from '../http/parse';
import { SECRET_NAME } from '../kernel/secret-name';
import { ListSecrets, PutSecret } from './secret.handlers';

/** An environment variable can hold about twice as much. */
const MAX_VALUE_BYTES = 64 * 1024;

const name = z
  .string()
  .regex(SECRET_NAME, 'must be up to 100 letters, digits and _.-, beginning with a letter or _');

const value = z
  .string()
  .min(1, 'must not be empty')
  .refine((text) => Buffer.byteLength(text) <= MAX_VALUE_BYTES, `must have at most ${MAX_VALUE_BYTES} bytes`)
  .refine((text) => !text.includes('\0'), 'must not contain a NUL character');

const listSchema = z.strictObject({
  limit: limitSchema(50, 200),
  cursor: name.optional(),
  waitFor: z.unknown().optional(),
});

/** Secrets can be set and listed; no route gives a value back. */
@Controller('v1/companies/:companyId/secrets')
export class SecretsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Put(':name')
  put(@Param('companyId') companyId: string, @Param('name') secretName: string, @Body() body: unknown) {
    const given = parse(z.strictObject({ value }), body);
    parse(z.object({ name }), { name: secretName });
    return this.commands.execute(new PutSecret(companyId, secretName, given.value));
  }

  @Get()
  list(@Param('companyId') companyId: string, @Query() query: unknown) {
    const { waitFor, ...page } = parse(listSchema, query);
    return this.queries.execute(new ListSecrets(companyId, page, parseWaitFor(waitFor)));
  }
}
