/** Only what is new: an artifact without what an earlier one has, and a load of it out of both. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FakeGitLab } from '../../test/support/fake-gitlab.ts';
import type { DaemonKind } from '../../test/system/support/daemons.ts';
import type { BenchDaemon } from '../bench-daemon.ts';
import { bytesOf, clear, inJob, ourLoad, ourSave } from '../commands.ts';
import type { Contender, Race } from '../contender.ts';
import { type Archives, archivesOf, FIRST, SECOND } from '../images.ts';
import type { Lab } from '../lab.ts';
import { measure } from '../measure.ts';
import { fetchAgainRace } from './fetch-again.ts';

const KINDS: DaemonKind[] = ['docker-20.10', 'docker-28-graph', 'docker-28-containerd'];
/** The jobs, which are also their pipelines: yesterday's, today's, and today's without a base. */
const [BEFORE, NOW, WHOLE] = [1, 2, 3];
const OWN = 'the new layers';
const ARTIFACT = 'ours, base job';
const DAEMON = 'docker load of the missing layers';
const WARM = "ours, load --job, yesterday's image present";
/** What documents and the directory of an artifact may take up. */
const DOCUMENTS = 64 * 1024;

/** What all contenders share. */
interface Jobs {
  daemon: BenchDaemon;
  archives: Archives;
  gitlab: FakeGitLab;
  lab: Lab;
}

/** For each store of docker the artifact, and its loads. */
export async function baseJobRaces(lab: Lab): Promise<(() => Promise<Race>)[]> {
  return lab.usable(KINDS).flatMap((kind) => {
    let started: Promise<Jobs> | undefined;
    const jobs = async (): Promise<Jobs> => (started ??= prepare(kind, lab));
    const fetchAgain = async (): Promise<Race> => fetchAgainRace((await jobs()).gitlab, BEFORE, lab);
    // The daemon stops with the last race. A fetch needs none: one kind is enough.
    return [
      async () => artifactRace(await jobs()),
      ...(kind === lab.usable(KINDS)[0] ? [fetchAgain] : []),
      async () => loadRace(await jobs()),
    ];
  });
}

async function prepare(kind: DaemonKind, lab: Lab): Promise<Jobs> {
  const archives = await archivesOf(kind, lab);
  const daemon = await lab.start(kind);
  for (const archive of [archives.first, archives.second]) await daemon.load(archive);
  const gitlab = await FakeGitLab.open({ jobs: [], describes: true });
  lab.defer(() => gitlab.stop());
  const jobs = { daemon, archives, gitlab, lab };
  await measure(`${save(FIRST, BEFORE, jobs)} && ${zip(BEFORE)}`, lab);
  await ship(BEFORE, jobs);
  await measure(`${save(SECOND, WHOLE, jobs)} && ${zip(WHOLE)}`, lab);
  return jobs;
}

/** Has GitLab keep the artifact of a job. */
async function ship(id: number, { gitlab, lab }: Jobs): Promise<void> {
  const archive = await readFile(join(lab.folder, `${id}.zip`));
  gitlab.options.jobs?.push({ id, name: 'build', archive });
}

/** As the runner does with FF_USE_FASTZIP at level fastest. */
function zip(id: number): string {
  return `rm -f ${id}.zip && zip -q -r -0 ${id}.zip .drayage/${id}`;
}

function save(name: string, id: number, jobs: Jobs, options = ''): string {
  const { daemon, lab } = jobs;
  return inJob(
    ourSave('gzip', `${name} --host ${daemon.host} ${options}`, `.drayage/${id}`, lab),
    jobs.gitlab,
  );
}

async function artifactRace(jobs: Jobs): Promise<Race> {
  const { daemon, archives, lab } = jobs;
  const before = clear(join(lab.folder, `.drayage/${NOW}`));
  let own = 0;
  const bytes = async (stdout: string): Promise<number> => {
    own = newBytes(stdout);
    return bytesOf(join(lab.folder, `${NOW}.zip`));
  };
  const whole = `${save(SECOND, NOW, jobs)} && ${zip(NOW)}`;
  const thin = `${save(SECOND, NOW, jobs, `--base-job build --pipeline ${BEFORE}`)} && ${zip(NOW)}`;
  return {
    title: `artifact of an image out of ${daemon.kind}`,
    about:
      `An image of ${(archives.size / 1e6).toFixed(0)} MB out of ${daemon.version}, with gzip, as an artifact (zip -0). ` +
      "Yesterday's artifact has 5 of its 7 layers; GitLab is a stand-in in the same machine. Bytes are those of the artifact.",
    serverCpu: () => daemon.cpuSeconds(),
    contenders: [
      { name: 'ours, whole', ours: true, command: whole, before, bytes },
      { name: ARTIFACT, ours: true, command: thin, before, bytes },
      { name: OWN, limit: true, command: 'true', bytes: () => own },
    ],
    goals: [{ ours: ARTIFACT, against: OWN, metric: 'bytes', atMost: 1, plus: DOCUMENTS }],
    close: async () => ship(NOW, jobs),
  };
}

/** Stored bytes of the layers that a save has written. */
function newBytes(stdout: string): number {
  const { bytes }: { bytes: { written: number } } = JSON.parse(stdout);
  return bytes.written;
}

async function loadRace(jobs: Jobs): Promise<Race> {
  const { daemon, archives, gitlab, lab } = jobs;
  const missing = join(lab.folder, `missing-${daemon.kind}.tar`);
  await writeMissing(archives, missing, lab);
  const load = (options: string): string =>
    inJob(ourLoad(lab.node, `${options} --private --host ${daemon.host}`), gitlab);
  const loadJob = `--job-id ${NOW} --project 12`;
  let sent = 0;
  const ours = (name: string, before: () => Promise<void>, options = ''): Contender => ({
    name,
    ours: true,
    command: load(`${loadJob} ${options}`),
    before: async () => {
      await before();
      // Layouts on disk would save requests.
      await clear(join(lab.folder, '.drayage'))();
      sent = gitlab.sent;
    },
    bytes: () => gitlab.sent - sent,
  });
  const warm = async (): Promise<void> => {
    await daemon.remove(SECOND);
    if (!(await daemon.has(FIRST))) await daemon.load(archives.first);
  };
  const emptyWithCache = async (): Promise<void> => {
    await daemon.empty();
    const fill = ourLoad(lab.node, `--job-id ${BEFORE} --project 12 --cache cache --to oci:filled`);
    await measure(`rm -rf cache filled .drayage && ${inJob(fill, gitlab)} && rm -rf filled`, lab);
    sent = gitlab.sent;
  };
  return {
    title: `load of that artifact into ${daemon.kind}`,
    about:
      "Its own layers come out of today's artifact, the others out of yesterday's. Bytes are those that GitLab sends. The " +
      'archive of the missing layers is what the daemon would be given at best.',
    serverCpu: () => daemon.cpuSeconds(),
    contenders: [
      {
        name: DAEMON,
        limit: true,
        command: `${daemon.docker} load -q < ${missing}`,
        before: warm,
        bytes: () => bytesOf(missing),
      },
      ours(WARM, warm),
      // Last, so that yesterday's image goes into the daemon once a round.
      ours('ours, load --job, empty daemon', () => daemon.empty()),
      ours('ours, load --job with a cache of yesterday, empty daemon', emptyWithCache, '--cache cache'),
      {
        name: "ours, load --job with GitLab's cache of yesterday, empty daemon",
        ours: true,
        remark:
          'bytes are what the runner fetches, the cache included; what it stores after the job is not counted',
        // As the runner does: it restores the folder before the job and stores it after.
        command: `unzip -q cache.zip && ${load(`${loadJob} --cache cache`)} && zip -q -r -0 stored.zip cache`,
        before: async () => {
          await emptyWithCache();
          await measure('rm -f cache.zip stored.zip && zip -q -r -0 cache.zip cache && rm -rf cache', lab);
        },
        bytes: async () => (await bytesOf(join(lab.folder, 'cache.zip'))) + gitlab.sent - sent,
      },
      {
        name: 'ours, unzip and load of the whole artifact, empty daemon',
        ours: true,
        command: `unzip -q ${WHOLE}.zip -d restored && ${load(`restored/.drayage/${WHOLE}`)}`,
        before: async () => {
          await daemon.empty();
          await clear(join(lab.folder, 'restored'))();
        },
        bytes: () => bytesOf(join(lab.folder, `${WHOLE}.zip`)),
      },
    ],
    goals: [{ ours: WARM, against: DAEMON, atMost: 1, plus: 1 }],
    close: () => daemon.stop(),
  };
}

/** Writes the archive of the second image without the layers that it shares with the first one. */
async function writeMissing({ first, second }: Archives, to: string, lab: Lab): Promise<void> {
  const [before, now] = [await layersOf(first, lab), await layersOf(second, lab)];
  const shared = now.filter((layer) => before.includes(layer)).map((layer) => `--exclude=${layer}`);
  const unpack = `rm -rf parts && mkdir parts && tar -xf ${second} -C parts ${shared.join(' ')}`;
  await measure(`${unpack} && tar -cf ${to} -C parts $(ls -A parts)`, lab);
}

async function layersOf(archive: string, lab: Lab): Promise<string[]> {
  const { stdout } = await measure(`tar -xOf ${archive} manifest.json`, lab);
  const images: { Layers: string[] }[] = JSON.parse(stdout);
  return images.flatMap(({ Layers }) => Layers);
}
