"""How long to wait before trying again."""

FIRST_DELAY_S = 0.25
"""Delay before the second try; the first comes at once. Our own choice: a lost packet is over by then."""

LONGEST_DELAY_S = 5.0
"""Our own choice: in a window of 60 s this still leaves more than a dozen tries."""


def retry_delay_s(tries: int, jitter: float) -> float:
    """The wait in seconds before the next try, after `tries` failed ones.

    The first try comes at once. Later delays double up to a limit, and up to a half of each is cut off by chance, so
    that clients that lost the same server do not come back in step.

    Args:
        tries: failed tries so far, from 0.
        jitter: a random number from 0 up to 1.
    """
    if tries == 0:
        return 0.0
    full = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** (min(tries, 16) - 1))
    return full * (1.0 - jitter / 2.0)
