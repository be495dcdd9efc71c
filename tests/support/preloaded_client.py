"""Run a script in a fork of the server of preloaded.py: preloaded_client.py SOCKET SCRIPT ...

Python starts it without site-packages (-IS), for it stands in for each process of a pipeline.
"""

import json
import os
import socket
import sys

server, *arguments = sys.argv[1:]
if not arguments or arguments[0].startswith("-"):  # no script: -m, -c, --version, ...
    os.execv(sys.executable, [sys.executable, *arguments])
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(server)
    request = json.dumps([arguments, os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(connection, [len(request).to_bytes(4, "big")], [0, 1, 2])
    connection.sendall(request)
    status = connection.recv(1)
sys.exit(status[0] if status else "the server has gone")
