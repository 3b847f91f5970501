import { DrayageError, isDrayageError } from '../errors.ts';
import { pause } from '../stream/signals.ts';
import type { HttpReply } from './reply.ts';
import { isLasting } from './network-error.ts';

/** How often a request is retried, and after which pauses. */
export interface RetryOptions {
  /** The maximum number of attempts. Default 5. */
  attempts?: number | undefined;
  /** The first pause, in milliseconds. Each further one is twice as long. Default 500. */
  pause?: number | undefined;
  /** Waits; for tests. */
  delay?: ((milliseconds: number, signal: AbortSignal | undefined) => Promise<void>) | undefined;
}

/** Statuses that may change within moments. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);
const MAX_PAUSE = 30_000;
/** If a server asks for a longer pause than this, in seconds, the request is not retried. */
const MAX_RETRY_AFTER = 120;

/** Decides whether a request is retried, and waits before that. */
export class Retry {
  readonly #attempts: number;
  readonly #pause: number;
  readonly #delay: NonNullable<RetryOptions['delay']>;

  constructor({ attempts = 5, pause: first = 500, delay = pause }: RetryOptions = {}) {
    this.#attempts = attempts;
    this.#pause = first;
    this.#delay = delay;
  }

  /** Repeats a request until it succeeds or fails for good. */
  async run<T>(attempt: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    for (let failures = 1; ; failures++) {
      try {
        return await attempt();
      } catch (error) {
        await this.pause(error, failures, signal);
      }
    }
  }

  /**
   * Waits after a failure until the next attempt.
   * @param failures number of failures in a row
   * @throws `error` if there is no next attempt
   */
  async pause(error: unknown, failures: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (!isPassing(error) || failures >= this.#attempts) throw error;
    const { retryAfter } = error.facts;
    if (retryAfter !== undefined && retryAfter > MAX_RETRY_AFTER) throw error;
    // Half of a pause is random, so that jobs that failed at the same moment do not retry at the same moment.
    const backoff = Math.min(MAX_PAUSE, this.#pause * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
    await this.#delay(Math.max(backoff, (retryAfter ?? 0) * 1000), signal);
  }
}

/** The error for a reply that may change within moments; undefined for any other reply. */
export function passingError(reply: HttpReply, url: string): DrayageError | undefined {
  if (!PASSING.has(reply.status)) return undefined;
  const retryAfter = readRetryAfter(reply);
  const message =
    reply.status === 429 ? `${url} answers 429: too many requests` : `${url} answers ${reply.status}`;
  return new DrayageError('UNREACHABLE', message, {
    url,
    status: reply.status,
    retryAfter,
    hint: 'try again later',
  });
}

function isPassing(error: unknown): error is DrayageError {
  if (!isDrayageError(error) || !error.retryable || isLasting(error)) return false;
  const { status } = error.facts;
  return status === undefined || status < 400 || PASSING.has(status);
}

/** Retry-After in seconds: a number, or a time, which is compared with the server's own clock. */
function readRetryAfter(reply: HttpReply): number | undefined {
  const text = reply.header('retry-after');
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const seconds = (Date.parse(text) - Date.parse(reply.header('date') ?? '')) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, Math.ceil(seconds));
}
