import type { OnProgress, ProgressEvent } from '../index.ts';
import { formatBytes } from '../text/bytes.ts';
import { hintOf } from './hints.ts';
import type { TextOutput } from './output.ts';
import { ProgressTotal } from './progress-total.ts';
import { clearStatus, printMessage, printMessageOver, printStatus, widthOf } from './output.ts';

/** Milliseconds between two updates: of a line that is redrawn, and of lines in a log. */
const INTERVAL = { terminal: 100, log: 10_000 };

/** A display of progress. */
export interface ProgressDisplay {
  onProgress: OnProgress;
  /** Clears the temporary line. */
  end(): void;
}

/** Formats progress events: on a terminal as one line that is redrawn, elsewhere as a line now and then. */
export function createProgressDisplay(output: TextOutput): ProgressDisplay {
  const terminal = output.isTTY === true;
  const total = { read: 0, sent: 0 };
  const done = new ProgressTotal();
  let label = '';
  let shown = performance.now();
  const show = (): void => {
    const moved = total.sent > 0 ? `${formatBytes(total.sent)} sent` : `${formatBytes(total.read)} read`;
    const line = (name: string): string => `drayage: ${name === '' ? '' : `${name}: `}${done.text(moved)}`;
    const room = widthOf(output) - line(' ').length;
    if (terminal) printStatus(output, line(cut(label, room)));
    else printMessage(output, line(label));
    shown = performance.now();
  };
  /** Places are listed and asked for images again, and have the same to say of an entry then. */
  const told = new Set<string>();
  return {
    onProgress: (event) => {
      done.take(event);
      if (event.kind === 'image') label = event.name;
      else if (event.kind === 'note' || event.kind === 'waiting') {
        const line = `drayage: ${lineOf(event)}`;
        if (!told.has(line)) printMessageOver(output, line);
        told.add(line);
      } else if (event.kind === 'bytes') {
        total[event.direction] += event.bytes;
        if (performance.now() - shown >= (terminal ? INTERVAL.terminal : INTERVAL.log)) show();
      }
    },
    end: () => clearStatus(output),
  };
}

/** What is waited for. */
const WAITING = {
  daemon: (where: string) => `docker at ${where} does not answer yet`,
  certificates: (where: string) => `no certificates in ${where} yet`,
  lock: (where: string) => `another process holds the lock ${where}`,
};

/** A name in a place for so many characters. Its end tells it from others. */
function cut(name: string, room: number): string {
  if (name.length <= room) return name;
  return room < 2 ? '' : `…${name.slice(1 - room)}`;
}

/** The line that is shown at once. */
function lineOf(event: Extract<ProgressEvent, { kind: 'note' | 'waiting' }>): string {
  if (event.kind === 'note') return [event.message, hintOf(event) ?? []].flat().join('; ');
  const { what, where, seconds } = event;
  return `${WAITING[what](where)}: waiting for up to ${seconds} s`;
}
