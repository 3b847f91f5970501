import { DrayageError } from '../../errors.ts';
import { drain } from '../connect/reply.ts';
import type { Transport } from '../connect/transport.ts';
import { eitherSignal } from '../../stream/signals.ts';

/** Watches a request whose reply may take minutes to begin. */
export interface Watch {
  /** Fires with the caller's reason, or with `UNREACHABLE` when the daemon stops answering. */
  readonly signal: AbortSignal;
  /** Ends the request with another reason. */
  end(reason: Error): void;
  stop(): void;
}

/** After this many unanswered pings in a row, the daemon counts as gone. */
const MAX_FAILURES = 3;

/**
 * Pings a daemon every `interval` ms, on a separate connection, until it is stopped. Saving and loading have long
 * time limits, because a daemon is silent while it packs and unpacks.
 */
export function watchDaemon(transport: Transport, interval: number, signal: AbortSignal | undefined): Watch {
  const dead = new AbortController();
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  const ask = async (): Promise<void> => {
    failures = (await answers(transport, interval)) ? 0 : failures + 1;
    if (failures >= MAX_FAILURES) dead.abort(deadError(transport, interval));
    else if (timer !== undefined) next();
  };
  const next = (): void => {
    timer = setTimeout(() => void ask(), interval).unref();
  };
  next();
  return {
    signal: eitherSignal(signal, dead.signal),
    end: (reason) => dead.abort(reason),
    stop: () => {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

async function answers(transport: Transport, timeout: number): Promise<boolean> {
  try {
    await drain(await transport.open({ path: '/_ping', signal: AbortSignal.timeout(timeout) }));
    return true;
  } catch {
    return false;
  }
}

function deadError({ host }: Transport, interval: number): DrayageError {
  const seconds = Math.round((interval * MAX_FAILURES) / 100) / 10;
  return new DrayageError('UNREACHABLE', `docker at ${host.name} has not answered for ${seconds} s`, {
    url: host.name,
    hint: 'try again; the log of the daemon may say what it hangs on',
  });
}
