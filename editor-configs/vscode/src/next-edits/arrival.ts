/* Where the extension has put the cursor, as long as it is there. Pure. */

import { equal, type Place, type Span } from "./step";

export class Arrival {
  private place: Place | undefined;
  private under = false;

  /** The cursor is going to be put at `place`: until `arrived`, VS Code may report others. */
  goTo(place: Place): void {
    this.place = place;
    this.under = true;
  }

  arrived(place: Place): void {
    this.place = place;
    this.under = false;
  }

  stopped(): void {
    this.under = false;
  }

  movedTo(place: Place): void {
    if (!this.under && this.place && !equal(place, this.place)) this.place = undefined;
  }

  /** The lines on the screen have changed. */
  scrolledTo(visible: readonly Span[]): void {
    const line = this.place?.line ?? 0;
    if (!this.under && !visible.some(({ start, end }) => start.line <= line && line <= end.line)) this.place = undefined;
  }

  /** Undefined if the user has moved the cursor since. */
  get at(): Place | undefined {
    return this.place;
  }
}
