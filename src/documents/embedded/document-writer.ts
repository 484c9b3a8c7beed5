import type { Writer } from '../../sqlite/writer';
import { documentFiles } from './document-files';
import { DocumentFileWriter } from './document-file-writer';
import type {
  BatchRequest,
  CompareAndSetRequest,
  DocumentOutcome,
  DocumentRequest,
  DropRequest,
  EnsureRequest,
} from './document-messages';

/** Writes both files of the document store. The only writer of its folder. */
export class DocumentWriter implements Writer<DocumentRequest, DocumentOutcome, null> {
  readonly state = null;
  private readonly model: DocumentFileWriter;
  private readonly durable: DocumentFileWriter;

  constructor(folder: string) {
    const files = documentFiles(folder);
    this.model = new DocumentFileWriter(files.model, 'NORMAL');
    this.durable = new DocumentFileWriter(files.durable, 'FULL');
  }

  /** One transaction a file for documents that were written at once; collections change one by one. */
  write(requests: readonly DocumentRequest[]): DocumentOutcome[] {
    const outcomes: DocumentOutcome[] = [];
    let documents: (BatchRequest | CompareAndSetRequest)[] = [];
    const writeDocuments = () => {
      outcomes.push(...this.writeDocuments(documents));
      documents = [];
    };
    for (const request of requests) {
      if (request.kind === 'batch' || request.kind === 'compareAndSet') {
        documents.push(request);
      } else {
        writeDocuments();
        outcomes.push(this.changeCollection(request));
      }
    }
    writeDocuments();
    return outcomes;
  }

  close(): void {
    this.model.close();
    this.durable.close();
  }

  private writeDocuments(requests: readonly (BatchRequest | CompareAndSetRequest)[]): DocumentOutcome[] {
    const outcomes = new Array<DocumentOutcome>(requests.length);
    for (const kind of ['model', 'durable'] as const) {
      const indexes = [...requests.keys()].filter((index) => requests[index]!.file === kind);
      if (indexes.length === 0) continue;
      const own = attempt(indexes.length, () =>
        this[kind].writeGroup(indexes.map((index) => requests[index]!)),
      );
      own.forEach((outcome, index) => (outcomes[indexes[index]!] = outcome));
    }
    return outcomes;
  }

  private changeCollection(request: EnsureRequest | DropRequest): DocumentOutcome {
    const [outcome] = attempt(1, () => {
      if (request.kind === 'ensure') this.ensure(request);
      else this.drop(request);
      return [{ kind: 'done' }];
    });
    return outcome!;
  }

  private ensure({ file, collection }: EnsureRequest): void {
    const other = file === 'model' ? this.durable : this.model;
    if (other.has(collection.name))
      throw new Error(`${collection.name} is ${file} here, but was made as a collection of the other kind`);
    this[file].ensure(collection);
  }

  private drop({ collection }: DropRequest): void {
    if (this.durable.has(collection)) throw new Error(`${collection} is durable and cannot be dropped`);
    this.model.drop(collection);
  }
}

function attempt(count: number, write: () => DocumentOutcome[]): DocumentOutcome[] {
  try {
    return write();
  } catch (error) {
    return Array.from({ length: count }, () => ({ kind: 'failed', error }));
  }
}
