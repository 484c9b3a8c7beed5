import type { IQueryHandler } from '@nestjs/cqrs';
import { Query, QueryHandler } from '@nestjs/cqrs';
import { Directory } from '../agents/directory';
import type { Position } from '../kernel/event';
import { Processing } from '../processing/processing';
import { ReadModels } from '../processing/read-models';
import { CompanyCosts, COST_MODELS } from './company-costs';
import type { CostGroup, Grouping } from './cost-groups';
import type { Period } from './period';

export class GetCosts extends Query<{ items: CostGroup[]; totalMicros: number }> {
  constructor(
    readonly companyId: string,
    readonly period: Period,
    readonly groupBy: Grouping,
    readonly waitFor: Position | null,
  ) {
    super();
  }
}

@QueryHandler(GetCosts)
export class GetCostsHandler implements IQueryHandler<GetCosts> {
  constructor(
    private readonly directory: Directory,
    private readonly processing: Processing,
    private readonly readModels: ReadModels,
  ) {}

  async execute({ companyId, period, groupBy, waitFor }: GetCosts) {
    await this.processing.waitForReader(waitFor, COST_MODELS);
    await this.directory.company(companyId);
    return new CompanyCosts(this.readModels, companyId, groupBy).in(period);
  }
}
