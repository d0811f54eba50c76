"""The clocks of our programs jump: what time means to users is what PostgreSQL's says, and nothing else goes wrong."""
import glob
import time

import pytest

from support.outbox import wait_settled
from support.waiting import wait_until

(LIBRARY,) = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")


class Clock:
    """What our programs take for the time; `jump("+3600")` in seconds, for those that run."""

    def __init__(self, folder):
        self.file = folder / "time"
        self.jump("+0")

    def jump(self, offset):
        self.file.write_text(offset)

    def environment(self):
        # What takes a while is measured by the clock that never jumps: that one is left alone.
        return {"LD_PRELOAD": LIBRARY, "FAKETIME_TIMESTAMP_FILE": self.file, "FAKETIME_NO_CACHE": 1, "FAKETIME_DONT_FAKE_MONOTONIC": 1}


def made_at(user):
    """When his id was made, by the clock of who made it."""
    return int(user["id"].replace("-", "")[:12], 16) / 1000


@pytest.mark.parametrize("jumps", [("+108000", "-108000"), ("-7200", "+7200"), ("+31536000", "+0")], ids=["30 hours", "2 hours back", "a year"])
def test_jumps_of_the_clock_end_no_session_and_no_link_and_lose_nothing(rollcall, tmp_path, jumps):
    clock = Clock(tmp_path)
    rollcall.restart_server(**clock.environment())
    rollcall.restart_worker(**clock.environment())
    before, client = rollcall.create_user(), rollcall.sign_in(rollcall.create_active())
    for number, offset in enumerate(jumps):
        clock.jump(offset)
        made = rollcall.create_user(email=f"jump{number}@example.org")
        if number == 0 and int(offset) > 0:  # ids never go back
            assert abs(made_at(made) - time.time() - int(offset)) < 600, "the server believes its clock"
        assert made["version"] == 1 and client.get("/v1/me").status == 200, "he is still signed in"
        rollcall.wait_mail(f"jump{number}@example.org")
        assert rollcall.user(before)["invitation"]["state"] == "pending", "the link still lives"
        assert rollcall.sign_in(rollcall.create_active()).get("/v1/me").status == 200
    wait_settled(rollcall)
    rollcall.accept(rollcall.link(before)).ok(200)
    wait_until(lambda: rollcall.user(before)["status"] == "active")
    ids = [row["id"] for row in rollcall.audit("user.created")]
    assert len(ids) == len(set(ids)) >= 6
