/**
 * The jobs that this process has claimed and not released.
 *
 * Guarantees: the arguments of each are counted in the room from the claim to the release; a release counts once, and only for the claim that it names.
 */
import type { Claim } from '#shared/postgres/statements/claim.ts';
import type { ArgsRoom } from './args-room.ts';

export class HeldJobs {
  readonly #room: ArgsRoom;
  readonly #held = new Map<string, Pick<Claim, 'fence' | 'argsBytes'>>();

  constructor(room: ArgsRoom) {
    this.#room = room;
  }

  get size(): number {
    return this.#held.size;
  }

  get ids(): string[] {
    return [...this.#held.keys()];
  }

  has(id: string): boolean {
    return this.#held.has(id);
  }

  hold(claims: readonly Claim[]): void {
    for (const { id, fence, argsBytes } of claims) {
      this.#held.set(id, { fence, argsBytes });
      this.#room.count(argsBytes);
    }
  }

  release({ id, fence }: Pick<Claim, 'id' | 'fence'>): void {
    const held = this.#held.get(id);
    if (held?.fence !== fence) return;
    this.#held.delete(id);
    this.#room.give(held.argsBytes);
  }
}
