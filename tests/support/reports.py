"""Delivery reports as the tests of bounces and its fuzzer have them: tests/fuzz/corpus/bounce/."""
from .cluster import ROOT

FOLDER = ROOT / "tests" / "fuzz" / "corpus" / "bounce"
ID = b"019a0000-0000-7000-8000-00000000000a"
USER_UNKNOWN = "550 5.1.1 <nobody@net.example>: Recipient address rejected: User unknown in virtual mailbox table"


def report(name, mail_id):
    """One of them, about this mail."""
    text = (FOLDER / name).read_bytes()
    return text.replace(ID[:20] + b"=\r\n" + ID[20:], str(mail_id).encode()).replace(ID, str(mail_id).encode())
