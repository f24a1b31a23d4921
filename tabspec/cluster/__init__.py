"""Our models for a team: a Ray Serve application with an OpenAI-compatible completions endpoint (`tabspec[cluster]`).

asking    what a request's body asks for
telling   from a model's chunks to the events of an answer
served    the model of a replica: the worker's serving, and a limit for readers that fall behind
guard     which requests are let in: key, Host, Origin
endpoint  HTTP: routes, statuses, streams; it knows no Ray
app       the Serve application: an ingress on each node, and the replicas with the model
local     starting and stopping it from the command line

Only `app` and `local` import Ray, and no other room imports this one (but the command line).
"""
