"""Fuzzing of control's parsers: real messages, changed by what they are made of, for a while."""
