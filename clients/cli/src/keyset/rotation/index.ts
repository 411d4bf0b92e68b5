export { type Place, type RotatedUse, allPlaces, nameOf, rotatedUses } from "./place.ts";
export { type RotateOptions, type Rotated, NotDueError, rotate, standingOf } from "./rotate.ts";
export { type RotationStep, type Standing, rotationSteps } from "./standing.ts";
