/** A reference to an image that stays in a daemon of many jobs. */
import { join } from 'node:path';
import { gitlabJob } from '../../test/support/gitlab-job.ts';
import type { DaemonKind } from '../../test/system/support/daemons.ts';
import { bytesOf, clear, ourLoad, ourSave } from '../commands.ts';
import type { Race } from '../contender.ts';
import { archivesOf, FIRST } from '../images.ts';
import type { Lab } from '../lab.ts';
import { measure } from '../measure.ts';

const START = 'the start of save --sticky, which then lacks an image';
const SAVE = 'ours, save --sticky';
const LOAD = 'ours, load of the reference';
const LAYOUT = 'job/layout';

/** One race for each store of docker. */
export async function stickyRaces(lab: Lab): Promise<(() => Promise<Race>)[]> {
  const kinds: DaemonKind[] = ['docker-20.10', 'docker-28-graph', 'docker-28-containerd'];
  return lab.usable(kinds).map((kind) => async () => {
    const { first, size } = await archivesOf(kind, lab);
    const daemon = await lab.start(kind);
    await daemon.load(first);
    const folder = join(lab.folder, LAYOUT);
    const before = clear(folder);
    const bytes = async (): Promise<number> => bytesOf(folder);
    const save = (options: string): string =>
      inJob(ourSave('gzip', `${FIRST} ${options} --host ${daemon.host}`, LAYOUT, lab));
    return {
      title: `references to an image in ${kind}`,
      about:
        `An image of ${(size / 1e6).toFixed(0)} MB, 7 layers, stays in ${daemon.version}, which the jobs share. ` +
        'Bytes are those of the artifact.',
      serverCpu: () => daemon.cpuSeconds(),
      contenders: [
        { name: START, limit: true, command: `! ${ourSave('gzip', '--sticky', LAYOUT, lab)}` },
        { name: SAVE, ours: true, command: save('--sticky'), before, bytes },
        {
          name: LOAD,
          ours: true,
          command: inJob(ourLoad(lab.node, `${LAYOUT} --host ${daemon.host}`)),
          before: async () => {
            await before();
            await measure(save('--sticky'), lab);
          },
        },
        { name: 'ours, save of the layers', ours: true, command: save(''), before, bytes },
      ],
      goals: [
        { ours: SAVE, against: START, atMost: 1, plus: 0.3 },
        { ours: LOAD, against: START, atMost: 1, plus: 0.3 },
        { ours: SAVE, metric: 'bytes', atMost: 16 * 1024 },
      ],
      close: () => daemon.stop(),
    };
  });
}

/** A command of a GitLab job. */
function inJob(command: string): string {
  const variables = Object.entries(gitlabJob('1', 'build')).map(([name, value]) => `${name}=${value}`);
  return `${variables.join(' ')} ${command}`;
}
