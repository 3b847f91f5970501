import { expect, onTestFinished, test } from 'vitest';
import type { DockerDaemon } from '../../../src/docker/daemon.ts';
import { connectDocker } from '../../../src/docker/daemon.ts';
import type { FakeContainer, FakeOptions } from '../../support/fake-daemon.ts';
import { FakeDaemon, json } from '../../support/fake-daemon.ts';

const HEX = 'c'.repeat(64);

async function connect(
  kind: NonNullable<FakeOptions['kind']>,
  containers: FakeContainer[],
): Promise<[DockerDaemon, FakeDaemon]> {
  const fake = await FakeDaemon.start({ kind });
  fake.containers.push(...containers);
  const daemon = await connectDocker({ host: fake.host });
  onTestFinished(() => daemon.close());
  return [daemon, fake];
}

test.each([
  ['graph', { Names: ['/web'], Image: 'app:1', ImageID: `sha256:${HEX}` }, ['web', 'app:1']],
  [
    'containerd',
    { Names: ['/web', '/x/web'], Image: 'app', ImageID: `sha256:${HEX}` },
    ['web', 'app:latest'],
  ],
  ['podman', { Names: ['/web'], Image: 'docker.io/library/app:1', ImageID: HEX }, ['web', 'app:1']],
  ['podman', { Names: ['/web'], Image: 'localhost/app:1', ImageID: HEX }, ['web', 'app:1']],
  ['graph', { Names: null, Image: HEX, ImageID: `sha256:${HEX}` }, ['dddddddddddd', HEX]],
] as const)('%s: a container uses an image by ID and by name: %j', async (kind, container, expected) => {
  const [daemon] = await connect(kind, [
    { Id: 'd'.repeat(64), ...container, Names: container.Names && [...container.Names] },
  ]);
  const [name, image] = expected;
  expect(await daemon.uses()).toEqual([{ container: name, image: `sha256:${HEX}`, name: image }]);
});

test('a list of another form is an error', async () => {
  const [daemon, fake] = await connect('graph', []);
  fake.handlers.set('GET /containers', (_, response) => json(response, [{ Id: 1 }]));
  await expect(daemon.uses()).rejects.toMatchObject({ code: 'DAEMON' });
});
