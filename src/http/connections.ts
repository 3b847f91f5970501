import type { Dispatcher } from 'undici';
import { hostKey, MAX_CONNECTIONS } from '../agent.ts';
import type { AnyDispatcher } from '../undici.ts';
import { forAnyVersion } from './any-version.ts';

/** The methods of a handler that are called at the end of a request, whichever comes. */
const ENDS = ['onResponseEnd', 'onResponseError', 'onRequestUpgrade', 'onComplete', 'onError', 'onUpgrade'];

/** The requests to one host. */
class Host {
  readonly #onIdle: () => void;
  #running = 0;
  /** How many have ended whose connection is not free yet. */
  #ending = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param onIdle is called when the last request has ended, and none waits */
  constructor(onIdle: () => void) {
    this.#onIdle = onIdle;
  }

  /** Begins a request now, or when another one has ended. */
  begin(request: () => void): void {
    if (this.#running === MAX_CONNECTIONS || this.#ending > this.#waiting.length) {
      this.#waiting.push(request);
      return;
    }
    this.#running += 1;
    request();
  }

  /** Ends a request. undici uses its connection again only after one turn of the event loop. */
  end(): void {
    this.#ending += 1;
    setImmediate(() =>
      setImmediate(() => {
        this.#ending -= 1;
        const next = this.#waiting.shift();
        if (next !== undefined) next();
        else if (--this.#running === 0) this.#onIdle();
      }),
    );
  }
}

/** The hosts that requests run to. */
const hosts = new Map<string, Host>();

/** The hosts to which requests run now, or have just ended. */
export const busyHosts: ReadonlyMap<string, unknown> = hosts;

/**
 * Makes a dispatcher use few connections to one host, whoever else does: an input may lead to any number of requests at
 * once. A request takes its turn until its reply has arrived whole, or has failed.
 */
export function withFewConnections(dispatcher: AnyDispatcher): AnyDispatcher {
  const dispatch = (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean => {
    const name = hostKey(options.origin ?? '');
    const host = hosts.get(name) ?? new Host(() => hosts.delete(name));
    hosts.set(name, host);
    host.begin(() => {
      const ended = once(() => host.end());
      try {
        dispatcher.dispatch(options, endingWith(forAnyVersion(handler), ended));
      } catch (error) {
        ended();
        throw error;
      }
    });
    return true;
  };
  return { dispatch };
}

/** A handler that also says when the request has ended. */
function endingWith(handler: Dispatcher.DispatchHandler, ended: () => void): Dispatcher.DispatchHandler {
  return new Proxy(handler, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        const result: unknown = Reflect.apply(value, target, args);
        if (ENDS.includes(String(name))) ended();
        return result;
      };
    },
  });
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    work();
  };
}
