"""Waiting for something to become true: the only way in which tests let time pass."""
import time


def wait_until(claim, timeout=10, pause=0.01, because=""):
    """What the claim says as soon as that is true; the test fails when it never is."""
    deadline = time.monotonic() + timeout
    while True:
        # A machine that stands still for so long still gets a look afterwards.
        is_last = time.monotonic() > deadline
        said = claim()
        if said:
            return said
        if is_last:
            raise AssertionError(f"not within {timeout} s: {because or getattr(claim, '__name__', claim)}; last seen: {said!r}")
        time.sleep(pause)
