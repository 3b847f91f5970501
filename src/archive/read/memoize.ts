/** A function that works each answer out once, by the identity of what it is asked about. */
export function memoize<K, V>(answer: (key: K) => V): (key: K) => V {
  const answers = new Map<K, { value: V }>();
  return (key) => {
    const known = answers.get(key) ?? { value: answer(key) };
    answers.set(key, known);
    return known.value;
  };
}
