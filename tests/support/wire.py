"""A wire between two programs: what goes through it can be delayed, stalled, cut, or closed on one side.

    wire = Wire(target_port)      # listens at wire.port
    wire.fault = "trickle"        # for all that goes through, until wire.heal()
    wire.cut()                    # every connection, in the middle of whatever it carries

Faults: "" (none), "delay" (30 ms for each portion), "trickle" (7 bytes at a time), "stall" (nothing moves),
"refuse" (whoever connects is turned away; who is connected stays), "half-close" (with the next portion from the
one who connected, his side is closed towards the target, and what comes back still passes), "lose" (the next portion
that comes back is lost, and its connection with it; what comes after that passes).
"""
import asyncio
import contextlib
import socket

from .cluster import free_port
from .sink import Loop

DELAY_S, PORTION = 0.03, 65536


class Wire:
    the_loop = None

    def __init__(self, target_port):
        Wire.the_loop = Wire.the_loop or Loop()
        self.target_port, self.port, self.fault = target_port, free_port(), ""
        self.transports, self.carried = set(), 0
        self.server = self.the_loop.run(self.open())

    async def open(self):
        return await asyncio.start_server(self.connect, "127.0.0.1", self.port)

    async def connect(self, reader, writer):
        if self.fault == "refuse":
            writer.transport.abort()
            return
        try:
            back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            return
        for one in (writer, back_writer):
            one.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = {writer.transport, back_writer.transport}
        self.transports |= pair
        await asyncio.gather(self.carry(reader, back_writer, True), self.carry(back_reader, writer, False), return_exceptions=True)
        for transport in pair:
            transport.abort()
        self.transports -= pair

    async def carry(self, reader, writer, is_forth):
        while portion := await reader.read(7 if self.fault == "trickle" else PORTION):
            while self.fault == "stall":
                await asyncio.sleep(0.01)
            if self.fault == "lose" and not is_forth:
                self.heal()
                writer.transport.abort()
                break
            if self.fault == "delay":
                await asyncio.sleep(DELAY_S)
            writer.write(portion)
            await writer.drain()
            self.carried += len(portion)
            if self.fault == "half-close" and is_forth:
                break
        with contextlib.suppress(OSError):
            writer.write_eof()

    def heal(self):
        self.fault = ""

    def cut(self):
        async def abort():
            for transport in list(self.transports):
                transport.abort()
        self.the_loop.run(abort())

    def close(self):
        async def shut():
            self.server.close()
        self.cut()
        self.the_loop.run(shut())
