"""The connection to one HTTP server.

route     directly, through a proxy, or to this machine
key       the API key, which belongs to one host and is never shown
wire      the requests: a document, or a streamed answer
loading   the request for which a server loads its model
body      reads a response within limits
alone     awaits httpx so that connections are closed
failures  what went wrong, as one line for the user
pace      back-off while a server is busy or down
"""
