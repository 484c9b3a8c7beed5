/** A store that the configuration names cannot be used as it is. The message is for the operator, and holds no secret. */
export class StoreUnusable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreUnusable';
  }
}
