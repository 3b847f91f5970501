/**
 * A function that works each answer out once.
 * @param keyOf what tells questions apart; default: the question itself
 */
export function memoize<Q, A>(
  answer: (question: Q) => A,
  keyOf: (question: Q) => unknown = identity,
): typeof answer {
  const answers = new Map<unknown, { value: A }>();
  return (question) => {
    const key = keyOf(question);
    const known = answers.get(key) ?? { value: answer(question) };
    answers.set(key, known);
    return known.value;
  };
}

function identity<T>(value: T): T {
  return value;
}
