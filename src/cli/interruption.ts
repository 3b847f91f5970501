/** A signal that ends a run. */
export class Interruption extends Error {
  readonly exitCode: number;

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(signal === 'SIGINT' ? 'interrupted' : 'terminated');
    this.name = 'Interruption';
    this.exitCode = signal === 'SIGINT' ? 130 : 143;
  }
}
