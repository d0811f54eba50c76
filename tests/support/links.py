"""Links, computed here a second time from the design's words (§2.4), not from the product's code.

A test that is about links and not about mails needs no mail for them; and a link that the product
would compute otherwise tomorrow, while old mails are still on their way, fails these tests.
"""
import base64
import hashlib
import hmac
import struct
import uuid

PURPOSES = {"invitation": (1, b"rollcall link invitation"), "password_reset": (2, b"rollcall link password reset"),
            "email_change": (3, b"rollcall link e-mail change")}
PAGES = {"invitation": "accept", "password_reset": "reset-password", "email_change": "confirm-email"}
USER, ADMINISTRATOR = 1, 2


def derive_key(secret, label):
    """HKDF-SHA256 (RFC 5869) without a salt, one block."""
    return hmac.digest(hmac.digest(b"\0" * 32, secret, "sha256"), label + b"\1", "sha256")


def make_token(secret, purpose, org_id, user_id, generation, channel=USER):
    number, label = PURPOSES[purpose]
    head = bytes([1, number, channel]) + uuid.UUID(str(org_id)).bytes + uuid.UUID(str(user_id)).bytes + struct.pack(">I", generation)
    return base64.urlsafe_b64encode(head + hmac.digest(derive_key(secret, label), head, "sha256")).rstrip(b"=").decode()


def token_hash(token):
    return hashlib.sha256(token.encode()).hexdigest()


def token_of(link):
    return link.split("#", 1)[1]
