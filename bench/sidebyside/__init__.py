"""The side-by-side bench. `bench/run` is the command; README.md says what each figure means."""
