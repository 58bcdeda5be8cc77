"""Browser tests: real Chromium and Firefox against a real control and router, last and few."""
