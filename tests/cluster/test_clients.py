import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from partialseg.cluster.clients import connected

pytestmark = pytest.mark.slow


@contextmanager
def answering(said: bytes) -> Iterator[str]:
    """Yield the address of a server that says something to all who come."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept = []

        def answer() -> None:
            while True:
                try:
                    kept.append(server.accept()[0])
                except OSError:  # the server is closed
                    return
                kept[-1].sendall(said)

        Thread(target=answer, daemon=True).start()
        yield "tcp://{}:{}".format(*server.getsockname())
        server.shutdown(socket.SHUT_RDWR)
        for connection in kept:
            connection.close()


def test_another_server_is_no_scheduler() -> None:
    # Dask takes the first 8 bytes for the length of a message.
    with (
        answering(b"SSH-2.0-OpenSSH_9.0\r\n") as address,
        pytest.raises(
            ValueError, match=rf"^scheduler {address}: what answers there is no Dask scheduler$"
        ),
        connected(address),
    ):
        pass
