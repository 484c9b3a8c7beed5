import type { ICommandHandler, IQueryHandler } from '@nestjs/cqrs';
import { Command, CommandHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { Directory } from '../agents/directory';
import { CompaniesStore } from '../companies/companies.store';
import { Written } from '../http/written';
import type { Cause } from '../kernel/cause';
import type { Position } from '../kernel/event';
import { Processing } from '../processing/processing';
import { ReadModels } from '../processing/read-models';
import type { PriceTableView } from './costs.routes';
import type { ModelPrice } from './domain/prices';
import { priceTablesProjection } from './projections/price-tables.projection';

export class ChangePriceTable extends Command<Written<PriceTableView>> {
  constructor(
    readonly companyId: string,
    readonly prices: readonly ModelPrice[],
    readonly cause: Cause,
  ) {
    super();
  }
}

export class GetPriceTable extends Query<PriceTableView> {
  constructor(
    readonly companyId: string,
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

@CommandHandler(ChangePriceTable)
export class ChangePriceTableHandler implements ICommandHandler<ChangePriceTable> {
  constructor(
    private readonly companies: CompaniesStore,
    private readonly processing: Processing,
    private readonly directory: Directory,
  ) {}

  async execute({ companyId, prices, cause }: ChangePriceTable) {
    await this.directory.company(companyId);
    const { position } = await this.companies.execute({ type: 'ChangePriceTable', companyId, prices }, cause);
    // From the answer on, usage is booked at these prices.
    await this.processing.waitFor(position, [priceTablesProjection.name]);
    return new Written({ prices: [...prices] }, position);
  }
}

@QueryHandler(GetPriceTable)
export class GetPriceTableHandler implements IQueryHandler<GetPriceTable> {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
    private readonly readModels: ReadModels,
  ) {}

  async execute({ companyId, waitFor }: GetPriceTable) {
    await this.processing.waitForReader(waitFor, [priceTablesProjection.name]);
    await this.directory.company(companyId);
    const table = await this.readModels.get(priceTablesProjection, companyId);
    return { prices: [...(table?.prices ?? [])] };
  }
}
