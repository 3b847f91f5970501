/** A fetch of what is there already: what it costs above the start of the command. */
import type { FakeGitLab } from '../../test/support/fake-gitlab.ts';
import { inJob, ourFetch } from '../commands.ts';
import type { Race } from '../contender.ts';
import type { Lab } from '../lab.ts';
import { measure } from '../measure.ts';

const START = 'the start of fetch, which then lacks a layout';
const AGAIN = 'ours, fetch --job-id';
const COMPLETE = 'ours, fetch --complete';
/** Seconds of CPU that nothing to do may cost. */
const PLUS = 0.15;

/** Fetches the artifact of a job once more, and completes a layout that is whole. */
export async function fetchAgainRace(gitlab: FakeGitLab, job: number, lab: Lab): Promise<Race> {
  const fetch = (options: string): string => inJob(ourFetch(lab.node, options), gitlab);
  const again = fetch(`--job-id ${job} -o fetched`);
  await measure(again, lab);
  let sent = 0;
  const before = async (): Promise<void> => void (sent = gitlab.sent);
  const bytes = (): number => gitlab.sent - sent;
  return {
    title: 'fetch of an artifact that is there',
    about:
      'The layout has all blobs of the artifact. Bytes are those that GitLab sends: the directory of the artifact, and documents.',
    contenders: [
      { name: START, limit: true, command: `! ${fetch('--complete absent')}`, before, bytes },
      { name: AGAIN, ours: true, command: again, before, bytes },
      { name: COMPLETE, ours: true, command: fetch('--complete fetched --offline'), before, bytes },
    ],
    goals: [
      { ours: AGAIN, against: START, metric: 'cpuSeconds', atMost: 1, plus: PLUS },
      { ours: COMPLETE, against: START, metric: 'cpuSeconds', atMost: 1, plus: PLUS },
    ],
  };
}
