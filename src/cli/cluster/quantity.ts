/**
 * Quantities as Kubernetes writes them: `250m` CPU, `96Mi` of memory, `129e6`. Pure.
 * The client's own parser throws at fractions such as `1.5Gi`, mixes numbers with BigInt and takes `e` for a suffix.
 */

const factors: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

const pattern = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i))?$/;

/** In the unit without a prefix: cores, bytes. Undefined for what is no quantity. */
export function parseQuantity(text: string): number | undefined {
  const [, digits, exponent = '', suffix = ''] = pattern.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const factor = factors[suffix];
  return factor === undefined ? undefined : Number(`${digits}${exponent}`) * factor;
}
