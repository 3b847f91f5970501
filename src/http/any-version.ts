import type { Dispatcher } from 'undici';

/** A handler as undici 6 and 7 call it. */
type OldHandler = Pick<
  Dispatcher.DispatchHandler,
  | 'onConnect'
  | 'onError'
  | 'onUpgrade'
  | 'onResponseStarted'
  | 'onHeaders'
  | 'onData'
  | 'onComplete'
  | 'onBodySent'
>;

type Controller = Dispatcher.DispatchController;
type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseEnd']>>[1];

/**
 * A handler that dispatchers of any version of undici accept. A caller's dispatcher may be of another version than the
 * one that is used here: undici 8 calls only the new methods, undici 6 only the old ones.
 */
export function forAnyVersion(handler: Dispatcher.DispatchHandler): Dispatcher.DispatchHandler {
  return handler.onRequestStart === undefined ? new BothHandler(handler) : handler;
}

/** The old methods pass on what they get; the new methods call the old ones. */
class BothHandler implements Dispatcher.DispatchHandler {
  readonly #handler: OldHandler;

  constructor(handler: OldHandler) {
    this.#handler = handler;
  }

  onConnect(...args: Parameters<NonNullable<OldHandler['onConnect']>>): void {
    this.#handler.onConnect?.(...args);
  }

  onUpgrade(...args: Parameters<NonNullable<OldHandler['onUpgrade']>>): void {
    this.#handler.onUpgrade?.(...args);
  }

  onResponseStarted(): void {
    this.#handler.onResponseStarted?.();
  }

  onHeaders(...args: Parameters<NonNullable<OldHandler['onHeaders']>>): boolean {
    return this.#handler.onHeaders?.(...args) ?? true;
  }

  onData(chunk: Buffer): boolean {
    return this.#handler.onData?.(chunk) ?? true;
  }

  onComplete(trailers: string[] | null): void {
    this.#handler.onComplete?.(trailers);
  }

  onError(error: Error): void {
    this.#handler.onError?.(error);
  }

  onBodySent(...args: Parameters<NonNullable<OldHandler['onBodySent']>>): void {
    this.#handler.onBodySent?.(...args);
  }

  onRequestStart(controller: Controller): void {
    this.#handler.onConnect?.((reason) => controller.abort(reason ?? new Error('aborted')));
  }

  onResponseStart(controller: Controller, status: number, headers: Headers, text = ''): void {
    const raw = rawList(controller.rawHeaders, headers);
    const goesOn = this.#handler.onHeaders?.(status, raw, () => controller.resume(), text);
    if (goesOn === false) controller.pause();
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#handler.onData?.(chunk) === false) controller.pause();
  }

  onResponseEnd(controller: Controller, trailers: Headers): void {
    this.#handler.onComplete?.(rawList(controller.rawTrailers, trailers).map(String));
  }

  onResponseError(_: Controller, error: Error): void {
    this.#handler.onError?.(error);
  }
}

/** Names and values in turn, as they arrived. */
function rawList(raw: unknown, headers: Headers | undefined): Buffer[] {
  if (Array.isArray(raw) && raw.every((one) => Buffer.isBuffer(one))) return raw;
  return Object.entries(headers ?? {}).flatMap(([name, value]) =>
    [value ?? []].flat().flatMap((one) => [name, one].map((text) => Buffer.from(text, 'latin1'))),
  );
}
