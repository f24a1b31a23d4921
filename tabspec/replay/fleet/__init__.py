"""Many users on one service: how many servers a team needs, and what speculation does to the others' waiting.

profile     a measured service: step times by batch size
batch       one server's continuous batching, as a pure state machine
answers     each question's answer, computed once for all users
service     the servers on the running loop's clock, and the model that each user's engine sees
population  who plays which part of which recording, and from when on
sample      which servers of a large crowd are played
play        N engines at once, and what they add up to
sizing      the smallest number of servers that keeps the foreground's wait below a bound, for what was asked once
search      the same, held against replays on the numbers found
"""
