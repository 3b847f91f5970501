import type { ErrorFacts, ErrorReason } from '../errors.ts';
import { isPrintable } from '../text/printable.ts';
import { shellWord } from '../text/shell-word.ts';
import { expectOption } from './expectation-text.ts';

type Facts = Readonly<ErrorFacts>;

/** The command line's hint for each reason: a text, or the library's hint with words after it. */
const WORDS: Partial<Record<ErrorReason, string | ((facts: Facts) => string | undefined)>> = {
  NO_IMAGE_GIVEN: 'drayage save IMAGE…, --iidfile, --metadata-file or --from',
  NOTHING_NAMED: behind('; name them: drayage save IMAGE…, --metadata-file or --iidfile'),
  SEVERAL_IMAGES: behind(' with --image'),
  TWO_IMAGES: behind(' with --image'),
  NO_IMAGE: 'drayage inspect lists the images',
  OMITTED_DIFFER:
    'complete them first: drayage fetch --complete LAYOUT; or save all of them with the same --thin and --base',
  BASE_UNREACHABLE: behind(', or save with --thin never'),
  BASE_JOB_UNREACHABLE: behind(': drayage save --base-job none'),
  BASE_JOB_DAMAGED: behind(': drayage save --base-job none'),
  BASE_EXPIRES: '--keep says how long this one is needed',
  LOCK_HELD: behind(', or wait longer: --lock-timeout 5m'),
  EXPANSION: behind(': --max-expansion 8GB'),
  LAYOUT_SIZE: behind('; a stronger --level makes it smaller'),
  NO_CODEC: ({ hint, name = 'gzip' }) => hint && `${hint}: --compress ${name}`,
  OTHER_ORIGIN: accept('if that is the image you mean'),
  OTHER_REVISION: accept(
    'or accept it',
    "build it again; if the label is the base image's, set it in the Dockerfile",
  ),
  OTHER_JOB: accept('if this job should vouch for it', 'sign in the job that builds'),
  UNSEALED: behind(': --image NAME'),
  REPORT_SIZE: behind(', or let jobs use drayage load --dotenv'),
  VARIABLE_CHOICE: ({ name = 'KEY' }) => `say which: --env ${name}=IMAGE`,
  VARIABLE_CLASH: ({ candidates: [, second = 'IMAGE'] = [] }) =>
    isPrintable(second) ? `name the second one's variable: --env KEY=${shellWord(second)}` : undefined,
  TAG_TAKEN: behind(', or omit --if-absent to move it'),
  NOT_VOUCHED: '--attach copies it',
  NO_BASE: 'name it: --base REF',
  UNREAD_CODEC: 'for those, save with --compress gzip',
  UNKNOWN_AUTHORITY: 'name the certificate authority by --ca FILE or CI_SERVER_TLS_CA_FILE',
  IDLE: behind(': --idle-timeout 5m'),
  TOKEN_SERVER: trust('if it is its token server'),
  NEAR_HOST: trust('if it is its storage'),
  PLAIN_HTTP: ({ name = 'HOST' }) => `use https there, or permit it: --plain-http ${shellWord(name)}`,
  TOKEN_MISSING: behind('; elsewhere set DRAYAGE_GITLAB_TOKEN (scope read_api)'),
  TOKEN_INVALID: behind(', and DRAYAGE_GITLAB_TOKEN may have expired'),
  TOKEN_FORBIDDEN: behind('; or set DRAYAGE_GITLAB_TOKEN'),
  JOB_TOKEN_CANNOT_LIST: before(
    'name the job by --job-id; or set DRAYAGE_GITLAB_TOKEN (scope read_api), since this GitLab does not let a job token list jobs; or ',
  ),
  TOKEN_CANNOT_LIST: before(
    'name the job by --job-id; or give DRAYAGE_GITLAB_TOKEN the scope read_api and a role in the project; or ',
  ),
  JOB_CHOICE: ({ candidates: [first = 'NAME'] = [] }) =>
    isPrintable(first) ? `choose one: --job ${shellWord(first)}` : undefined,
  DAEMON_ADDRESS: behind(' (or --host)'),
  REFERENCE_ONLY: 'load or promote it in a job on the runner of that daemon, or save it without --sticky',
  OTHER_DAEMON: behind(': save without --sticky'),
  REFERRED_IMAGE_GONE: behind('; on a daemon that is cleaned up meanwhile, save without --sticky'),
  UNPROVEN_TIME: behind(': --rekor-url, --tsa-url'),
  LOG_SERVICE: 'check --rekor-url',
  TIMESTAMP_SERVICE: 'check --tsa-url',
  UNSIGNED:
    'sign it in the job that builds it: drayage save --sign, or drayage sign; copies must include the referrers',
  NAME: accept('if the name is intended'),
  MERGE_REQUEST: behind(': --expect commit=SHA'),
  PROJECT: behind(': --expect project=GROUP/PROJECT'),
};

const FREE = 'free some space and try again';
const PERMISSION = 'change the permissions, or run as a user who has them';
const ELSEWHERE = 'name another place';

/** What to do about a code of the file system, if the message alone does not say it and the library has no hint. */
const OF_CODE: ReadonlyMap<unknown, string> = new Map([
  ['ENOSPC', FREE],
  ['EDQUOT', FREE],
  ['EACCES', PERMISSION],
  ['EPERM', PERMISSION],
  ['EROFS', 'name a place on another file system'],
  ['EXDEV', 'name places on the same one'],
  ['EIO', 'check the device: the log of the system says more'],
  ['ENXIO', ELSEWHERE],
  ['ENODEV', ELSEWHERE],
  ['ELOOP', 'name what the links lead to'],
  ['ENAMETOOLONG', 'name a shorter one'],
  ['EEXIST', ELSEWHERE],
  ['ENOTEMPTY', ELSEWHERE],
  ['EBUSY', 'try again when nothing uses it'],
  ['ETXTBSY', 'try again when it has ended'],
  ['EMFILE', 'raise the limit of this process: ulimit -n 4096'],
  ['ENFILE', 'the limit is that of the whole system: end other processes, or raise it'],
  ['EFBIG', 'see ulimit -f, or name another place'],
  ['ENOTSUP', ELSEWHERE],
  ['EOPNOTSUPP', ELSEWHERE],
  ['ESTALE', 'try again'],
]);

/** What to do, in words of the command line; the library's hint if there are none for a reason. */
export function hintOf(facts: Facts): string | undefined {
  const words = facts.reason && WORDS[facts.reason];
  const told = (typeof words === 'function' ? words(facts) : words) ?? facts.hint;
  return told ?? (facts.url === undefined ? OF_CODE.get(facts.actual) : undefined);
}

/** Words before the option that trusts a host; nothing for one that nobody should trust. */
function trust(words: string): (facts: Facts) => string | undefined {
  return ({ hint, name = 'HOST' }) => hint && `${words}: DRAYAGE_REGISTRIES=${shellWord(name)}`;
}

function before(words: string): (facts: Facts) => string | undefined {
  return ({ hint }) => hint && words + hint;
}

function behind(words: string): (facts: Facts) => string | undefined {
  return ({ hint }) => hint && hint + words;
}

/**
 * Words before the options that accept an image, after what always helps. Without options where one of the image's
 * values cannot be written: its author must not choose what a user types.
 */
function accept(words: string, always?: string): (facts: Facts) => string | undefined {
  return ({ accepting = {} }) => {
    const options = Object.entries(accepting).map(([key, values]) => values && expectOption(key, values));
    const accepts = options.includes(undefined) ? [] : [`${words}: ${options.join(' ')}`];
    const told = [...(always === undefined ? [] : [always]), ...accepts];
    return told.length === 0 ? undefined : told.join(words.startsWith('or ') ? ', ' : '; ');
  };
}
