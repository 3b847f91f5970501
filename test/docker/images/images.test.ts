import { describe, expect, test } from 'vitest';
import { Budget, withBudget } from '../../../src/budget.ts';
import { connectDocker } from '../../../src/docker/daemon.ts';
import { nearestNames } from '../../../src/listing/nearest.ts';
import { FakeDaemon, json } from '../../support/fake-daemon.ts';

const ID = `sha256:${'a1'.repeat(32)}`;
const OTHER = `sha256:${'b2'.repeat(32)}`;
const LAYER = `sha256:${'c3'.repeat(32)}`;

async function withImages(kind: 'graph' | 'podman' = 'graph', names = ['temp:latest', 'group/api:1']) {
  const images = [
    { id: ID, names, diffIds: [LAYER] },
    { id: OTHER, names: ['other:latest'], diffIds: [] },
  ];
  const fake = await FakeDaemon.start({ kind, images });
  return { fake, daemon: await connectDocker({ host: fake.host }) };
}

describe('images of a daemon', () => {
  test.each(['temp', 'temp:latest', 'docker.io/library/temp', ID, 'a1a1a1a1a1a1'])(
    '%s is found',
    async (image) => {
      const { daemon } = await withImages();
      expect(await daemon.inspect(image)).toEqual({
        id: ID,
        names: ['temp:latest', 'group/api:1'],
        diffIds: [LAYER],
        architecture: 'amd64',
        os: 'linux',
        size: 0,
      });
    },
  );

  test.each(['graph', 'podman'] as const)(
    'a shortened ID with its algorithm means the ID, to %s',
    async (kind) => {
      const { fake, daemon } = await withImages(kind, ['a1a1a1a1a1a1:latest']);
      expect((await daemon.inspect('sha256:a1a1a1a1a1a1')).id).toBe(ID);
      await daemon.tag('sha256:b2b2b2b', 'b2b2b2b2b2b2:latest');
      // A name that looks like an ID is not in the way.
      fake.images.push({ id: `sha256:${'d4'.repeat(32)}`, names: ['b2b2b2b2:latest'], diffIds: [] });
      expect((await daemon.inspect('sha256:b2b2b2b2')).id).toBe(OTHER);
      await expect(daemon.inspect('sha256:c3c3c3c')).rejects.toMatchObject({ code: 'NOT_FOUND' });
      fake.images.push({ id: `sha256:${'a1'.repeat(31)}ff`, names: [], diffIds: [] });
      await expect(daemon.inspect('sha256:a1a1a1a1a1a1')).rejects.toMatchObject({ code: 'AMBIGUOUS' });
    },
  );

  test('names of podman are those that docker shows', async () => {
    const names = [
      'localhost/temp:latest',
      'docker.io/library/temp:latest',
      'docker.io/group/x:1',
      'localhost:5000/y:1',
      '<none>:<none>',
      `moby-dangling@${ID}`,
      `temp:1@${ID}`,
      ID,
      'docker.io/library/sha256:latest',
    ];
    const { fake, daemon } = await withImages('podman', names);
    expect((await daemon.inspect(ID)).names).toEqual(['temp:latest', 'group/x:1', 'localhost:5000/y:1']);
    fake.images.length = 1;
    expect((await daemon.list()).map((image) => image.names)).toEqual([
      ['temp:latest', 'group/x:1', 'localhost:5000/y:1'],
    ]);
  });

  test('names of docker under localhost/ stay as they are', async () => {
    const { daemon } = await withImages('graph', ['localhost/temp:latest']);
    expect((await daemon.inspect(ID)).names).toEqual(['localhost/temp:latest']);
  });

  test.each([
    ['graph' as const, [`temp@${ID}`, `localhost/temp@${ID}`]],
    ['podman' as const, [`temp@${ID}`]],
  ])('digests of registries are told by %s', async (kind, digests) => {
    const { fake, daemon } = await withImages(kind);
    const RepoDigests = [`temp@${ID}`, `localhost/temp@${ID}`, '<none>@<none>'];
    const Config = { Labels: { some: 'label' } };
    fake.handlers.set('GET /images/json', (_request, response) => {
      json(response, [{ Id: ID, RepoTags: null, RepoDigests, Created: 0 }]);
    });
    fake.handlers.set(`GET /images/${ID}/json`, (_request, response) => {
      json(response, { Id: ID, RepoDigests, Config });
    });
    expect(await daemon.list()).toMatchObject([{ digests }]);
    expect(await daemon.inspect(ID)).toMatchObject({ digests, labels: Config.Labels });
  });

  test('a list that fails over an image which is being removed is asked for again', async () => {
    const { fake, daemon } = await withImages();
    let failures = 3;
    fake.handlers.set('GET /images/json', (_request, response) => {
      if (failures-- > 0) json(response, { message: `content digest ${LAYER}: not found` }, 404);
      else json(response, []);
    });
    expect(await daemon.list()).toEqual([]);
    failures = 99;
    await expect(daemon.list()).rejects.toMatchObject({ code: 'DAEMON', facts: { status: 404 } });
    expect(failures).toBe(92);
  });

  test('the list tells ID, names, size and time', async () => {
    const { daemon } = await withImages();
    expect((await daemon.list())[0]).toEqual({
      id: ID,
      names: ['temp:latest', 'group/api:1'],
      size: 1,
      created: '2023-11-14T22:13:20.000Z',
    });
  });

  test.each(['inspect', 'save', 'remove'] as const)(
    '%s of an unknown image tells the nearest names',
    async (method) => {
      const { daemon } = await withImages();
      await expect(daemon[method]('tmp')).rejects.toMatchObject({
        code: 'NOT_FOUND',
        message: expect.stringContaining('tmp'),
        hint: 'did you mean temp:latest?',
        facts: { candidates: ['temp:latest'] },
      });
    },
  );

  test('tag names an image, and moves a name', async () => {
    const { fake, daemon } = await withImages();
    await daemon.tag('temp', 'localhost:5000/g/x:2');
    await daemon.tag('other', 'temp');
    expect(fake.images.map(({ names }) => names)).toEqual([
      ['group/api:1', 'localhost:5000/g/x:2'],
      ['other:latest', 'temp:latest'],
    ]);
  });

  test('a name with a digest is no name to give', async () => {
    const { daemon } = await withImages();
    await expect(daemon.tag('temp', `x@${ID}`)).rejects.toMatchObject({ code: 'USAGE' });
    await expect(daemon.tag('temp', 'Temp')).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('remove takes the name away', async () => {
    const { fake, daemon } = await withImages();
    await daemon.remove('temp');
    expect(fake.images[0]?.names).toEqual(['group/api:1']);
    await daemon.remove('other', { force: true });
    expect(fake.images).toHaveLength(1);
    expect(fake.lines).toContain('DELETE /images/other:latest?force=true');
  });

  test('a refusal is told with the message and the status', async () => {
    const { fake, daemon } = await withImages();
    fake.handlers.set('DELETE /images/', (_request, response) =>
      json(response, { message: 'conflict:\n in use' }, 409),
    );
    await expect(daemon.remove('temp')).rejects.toMatchObject({
      code: 'DAEMON',
      message: expect.stringContaining('conflict: in use'),
      facts: { status: 409 },
    });
  });

  test.each(['', 'panic', '{"message":5}'])('an error that is %j is told too', async (body) => {
    const { fake, daemon } = await withImages();
    fake.handlers.set('GET /images/json', (_request, response) => void response.writeHead(500).end(body));
    await expect(daemon.list()).rejects.toMatchObject({ code: 'DAEMON', facts: { status: 500 } });
  });

  test('a reply is within the budget of the run, however often it is asked for', async () => {
    const { fake, daemon } = await withImages();
    const list = async (images: number): Promise<unknown> => {
      const body = JSON.stringify(
        Array.from({ length: images }, () => ({ Id: ID, Created: 1, RepoTags: null })),
      );
      fake.handlers.set('GET /images/json', (_request, response) => void response.end(body));
      return withBudget(
        async () => Promise.all([daemon.list(), daemon.list(), daemon.list()]),
        new Budget({ replyMemory: 40_000 }),
      );
    };
    await expect(list(100)).resolves.toHaveLength(3);
    await expect(list(200)).rejects.toMatchObject({ code: 'LIMIT', facts: { reason: 'BUDGET' } });
  });

  test.each(['null', '"x"', '[{"Id":"x","Created":1}]', 'oops'])(
    'a list that is %s is no crash',
    async (body) => {
      const { fake, daemon } = await withImages();
      fake.handlers.set('GET /images/json', (_request, response) => void response.end(body));
      if (body === 'null') expect(await daemon.list()).toEqual([]);
      else await expect(daemon.list()).rejects.toMatchObject({ code: 'DAEMON' });
    },
  );

  test('a connection that dies is told', async () => {
    const { fake, daemon } = await withImages();
    fake.handlers.set('GET /images/json', (request) => void request.socket.destroy());
    await expect(daemon.list()).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining(fake.host),
    });
    fake.handlers.set('GET /images/json', (_request, response) => {
      response.write('[');
      setTimeout(() => response.destroy(), 5);
    });
    await expect(daemon.list()).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });
});

describe('the nearest names', () => {
  test.each([
    ['tmp:latest', ['temp:latest']],
    ['tepm:latest', ['temp:latest']],
    ['api', ['group/api:1', 'group/api:2']],
    ['group/api:3', ['group/api:1', 'group/api:2']],
    ['temp:2', ['temp:latest']],
    ['nothing:like-it', []],
  ])('to %s are %j', (wanted, expected) => {
    expect(nearestNames(wanted, ['group/api:1', 'group/api:2', 'temp:latest', 'z:1'])).toEqual(expected);
  });

  test('are three at most', () => {
    expect(nearestNames('a:0', ['a:1', 'a:2', 'a:3', 'a:4'])).toEqual(['a:1', 'a:2', 'a:3']);
  });
});
