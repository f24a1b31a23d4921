"""One model in memory for any number of editors: `tabspec daemon`. No torch here.

place    where the daemon of this user is found: its folder, its socket, its lock
private  the folder is this user's alone, and so is the process at the other end
server   `Daemon`: a worker process behind a socket, the wire of `tabspec.models.messages`, clients in turn
client   `Connection`: a `Model` that the daemon runs
shared   `SharedModel`: the daemon's while it is there, else a worker process of one's own
"""
