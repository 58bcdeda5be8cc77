"""The benchmark scenarios, and the scoreboard that they write to `bench/README.md`."""
