// Loaded before a program: its clock is FAULT_CLOCK_SKEW_MS off. `Date` only, which is the one wall clock that JavaScript has; the monotonic
// clock, from which timers and the effect book go, stays what it is, as on a machine whose time is set wrong.
const skewMs = Number(process.env['FAULT_CLOCK_SKEW_MS'] ?? '0');
if (skewMs !== 0) {
  const now = () => RealDate.now() + skewMs;
  const RealDate = Date;
  globalThis.Date = new Proxy(RealDate, {
    apply: () => new RealDate(now()).toString(),
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
    get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
  });
}
