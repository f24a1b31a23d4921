"""`tabspec daemon`: one model in memory for all editors of a user. Imports no torch.

place    where the daemon of this user is found: its folder, its socket, its lock
private  checks that the folder and the process at the other end are this user's
server   `Daemon`: a worker process that several clients share over a socket
client   `Connection`: a `Model` that the daemon runs
finder   `DaemonFinder`: connects to a daemon that has a model, or starts one
shared   `SharedModel`: runs in the daemon if there is one, else in a worker process
"""
