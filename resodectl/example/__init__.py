"""The family that `resodectl new` writes: a folder of families like any other, with a recipe."""
