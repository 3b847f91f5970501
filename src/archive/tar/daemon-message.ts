const APPENDED = /\{\s*"message"\s*:\s*("(?:[^"\\]|\\.)*")\s*\}\s*$/;

/**
 * The error that a daemon appended to its archive. It answers with status 200 before it knows whether all will go well; what
 * goes wrong after that is written as JSON behind the bytes that are out already.
 * @param tail the last bytes that came
 */
export function appendedMessage(tail: Uint8Array): string | undefined {
  const match = APPENDED.exec(Buffer.from(tail).toString('utf8'));
  if (match?.[1] === undefined) return undefined;
  try {
    const message: unknown = JSON.parse(match[1]);
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}
