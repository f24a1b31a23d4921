/* What is offered, and what becomes of it when its document changes. Pure. */

import { shownInline } from "./inline";
import { made, moved, shifted, type Change, type Place, type Slice, type Standing, type Step } from "./step";

export interface Offer {
  /** The first one is on the screen, for its document as it is. The others are for it as the ones before make it. */
  readonly steps: readonly [Step, ...Step[]];
  /** Where the first step stands. */
  readonly standing: Standing;
  /** `inline`: VS Code shows it as ghost text. `drawn`: it, or a hint of it, is drawn as a decoration. */
  readonly how: "inline" | "drawn";
  /** In the mode `hint`: whether the user has asked to see the edits. */
  readonly revealed: boolean;
  /** Whether the server has proposed it for its document as it is, and not for one that has changed elsewhere since. */
  readonly current: boolean;
}

/** The document after a change. */
export interface After {
  readonly slice: Slice;
  positionAt(offset: number): Place;
  line(number: number): string;
}

/**
 * After a change of the first step's document that the extension did not make itself. Returns `made` if the change is the
 * step; the offer with the step where it stands now; or undefined if the step is gone.
 */
export function afterChange(offer: Offer, changes: readonly Change[], after: After): "made" | Offer | undefined {
  const { standing, how } = offer;
  const [step] = offer.steps;
  if (made(standing, step.text, changes, after.slice)) return "made";
  if (how === "inline") return typedThrough(offer, changes, after);
  const offset = shifted(standing, changes);
  if (offset === undefined) return undefined;
  return { ...offer, steps: [moved(step, after.positionAt(offset))], standing: { ...standing, offset }, current: false };
}

/** Ghost text stays on the screen as long as what is typed is what it says. */
function typedThrough(offer: Offer, changes: readonly Change[], after: After): Offer | undefined {
  const { offset, old } = offer.standing;
  const [step] = offer.steps;
  if (changes.length !== 1) return undefined;
  const [{ rangeOffset, rangeLength, text }] = changes;
  if (rangeOffset < offset || rangeOffset + rangeLength > offset + old.length) return undefined;
  const end = offset + old.length + text.length - rangeLength;
  const now = { ...step, range: { start: step.range.start, end: after.positionAt(end) } };
  const cursor = after.positionAt(rangeOffset + text.length);
  if (!shownInline(now, after.line(cursor.line), cursor)) return undefined;
  return { ...offer, steps: [now, ...offer.steps.slice(1)], standing: { offset, old: after.slice(offset, end) } };
}
