"""One model in memory for any number of editors: `tabspec daemon`. No torch here.

place    where the daemon of this user is found: a private folder, its socket, its lock, its token
server   `Daemon`: a worker process behind a socket, the wire of `tabspec.models.wire`, clients in turn
client   `Connection`: a `Model` that the daemon runs
shared   `SharedModel`: the daemon's while it is there, else a worker process of one's own
"""
