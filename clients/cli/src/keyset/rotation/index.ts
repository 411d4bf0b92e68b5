export { type KeySlot, type RotatedUse, allKeySlots, nameOf, rotatedUses } from "./key-slot.ts";
export { type RotateOptions, type Rotated, NotDueError, rotate, standingOf } from "./rotate.ts";
export { type RotationStep, type Standing, rotationSteps } from "./standing.ts";
