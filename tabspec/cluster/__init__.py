"""tabspec's models for a team: a Ray Serve application with an OpenAI-compatible endpoint (`tabspec[cluster]`).

request_body  parses and checks the body of a request
response      converts a model's chunks to the events of a response
served        runs the model of a replica with the worker's `Serving`, and pauses streams of slow readers
replica       the class that Ray Serve runs in each replica
guard         accepts or refuses requests by key, Host and Origin
endpoint      HTTP routes, statuses and streams; it does not depend on Ray
app           the Serve application: an ingress on each node, and the replicas with the model
local         starts and stops the application from the command line

Only `app` and `local` import Ray. Only the command line imports this package.
"""
